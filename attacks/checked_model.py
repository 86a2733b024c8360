"""The model as attacks query it: it cannot change their images, and its answers are checked on the way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from robustbench_eff.core.errors import DataError, ModelError
from robustbench_eff.core.outputs import logits_of
from robustbench_eff.core.probabilities import RETURN_LOGITS, RETURNED_PROBABILITIES, is_probability
from robustbench_eff.core.shortages import out_of_memory
from robustbench_eff.core.types import Images, ImagesToLogits, Labels, Logits

from .input_gradient import check_differentiable

WRITES_INTO_LEAF = "is being used in an in-place operation"
"""Part of torch's message about a write into a leaf of the graph, or into a view of one."""
LOOKED_AT_TOGETHER = 16
"""Number of answers that are looked at for NaN together."""


class CheckedModel:
    """A model whose answers are checked with the passes that an attack makes anyway.

    The first answer of an attack is checked for its form; whether all are finite is asked once, at the end. A model
    that writes into its input is found at its first pass and gets copies of the images from then on.
    """

    def __init__(self, model: ImagesToLogits) -> None:
        """Wrap a model.

        Args:
            model: Maps images in [0, 1] to logits.
        """
        self._model = model
        self._is_differentiable = False
        """True once it is known."""
        self._needs_copies = False
        """Whether the model writes into its input."""
        self._labels: Labels | None = None
        """Labels of the attack until its first answer; None afterwards."""
        self._unchecked: list[Tensor] = []
        """The last answers, which have not been looked at for NaN."""
        self._finite: list[Tensor] = []
        """Whether earlier answers were finite, bool, shape ()."""

    def check_differentiable(self) -> None:
        """Raise ModelError for a network whose gradient is missing, or lacks a part."""
        if not self._is_differentiable:
            check_differentiable(self._model)
            self._is_differentiable = True

    @contextmanager
    def attack(self, labels: Labels) -> Iterator[None]:
        """Check the answers of one attack: the first for its form at once, all of them for NaN at the end.

        Args:
            labels: True classes of its images.

        Raises:
            ModelError: At the end, if one of the answers was NaN or infinite.
        """
        self._labels = labels
        try:
            yield
        finally:
            self._look_for_nan()
            finite, self._finite, self._labels = self._finite, [], None
        if finite and not torch.stack(finite).all():
            raise ModelError(
                "The model returned NaN or infinite logits.",
                "No attack can follow them: check the weights and the normalisation.",
            )

    def __call__(self, images: Images) -> Logits:
        """Return the model's logits, differentiable where the images are.

        Args:
            images: Images in [0, 1].

        Raises:
            ModelError: On the first answer of an attack, if the model fails or does not return logits.
            DataError: On the first answer of an attack, if a label is not one of the model's classes.
        """
        if self._labels is None:
            logits = self._answer(images)
        else:
            logits = self._first_answer(images)
            _check_labels(self._labels, logits.shape[1])
            self._labels = None
        self._unchecked.append(logits.detach().clone())  # a model may write its next answer into the same memory
        if len(self._unchecked) == LOOKED_AT_TOGETHER:
            self._look_for_nan()
        return logits

    def _look_for_nan(self) -> None:
        """Look at the last answers together, which costs less than one by one; the device keeps the result."""
        if self._unchecked:
            self._finite.append(torch.cat(self._unchecked).isfinite().all())
            self._unchecked = []

    def _ask(self, images: Images) -> Logits:
        """Return the logits in what the model returns, in the type of the images; every pass goes through here."""
        output = self._model(images)
        if isinstance(output, Tensor) and output.ndim == 2 and output.shape[1] > 1 and output.dtype == images.dtype:
            return output
        return logits_of(output, len(images)).to(images.dtype)

    def _answer(self, images: Images) -> Logits:
        """Return the logits; raise ModelError if the model changed the images, which nothing can undo."""
        if self._needs_copies:
            return self._ask(images.clone())
        version = images._version
        logits = self._ask(images)
        if images._version != version:
            raise ModelError(
                "The model writes into its input, and not at every pass.", "Begin its forward with images.clone()."
            )
        return logits

    def _first_answer(self, images: Images) -> Logits:
        """Return the logits of the first pass, or an error that says what is wrong with them."""
        try:
            logits = self._probing_answer(images)
        except (RuntimeError, TypeError) as error:
            if out_of_memory(error):
                raise
            what = str(error).partition("\n")[0] or type(error).__name__
            raise ModelError(
                f"The model fails on {images.dtype} images of shape {tuple(images.shape)} on {images.device}: {what}",
                _hint(self._model, images),
            ) from error
        if len(images) and is_probability(logits.detach()):
            raise ModelError(f"The model {RETURNED_PROBABILITIES}", RETURN_LOGITS)
        return logits

    def _probing_answer(self, images: Images) -> Logits:
        """Return the logits, and find out whether the model needs copies of the images.

        A leaf of the graph protects itself from being written to, so that only a pass without gradients costs a copy.
        """
        if not images.requires_grad:
            given = images.clone()
            version = given._version
            logits = self._ask(given)
            self._needs_copies |= given._version != version
            return logits
        try:
            return self._answer(images)
        except RuntimeError as error:
            if not (images.is_leaf and WRITES_INTO_LEAF in str(error)):
                raise
        self._needs_copies = True
        return self._answer(images)


def _check_labels(labels: Labels, num_classes: int) -> None:
    if not len(labels):
        return
    low, high = labels.aminmax()
    if low < 0 or high >= num_classes:
        row = int(((labels < 0) | (labels >= num_classes)).nonzero()[0])
        raise DataError(
            f"Image {row} has label {int(labels[row])}, but the model has classes 0 to {num_classes - 1}.",
            "Leave out images whose class the model does not know.",
        )


def _hint(model: ImagesToLogits, images: Images) -> str:
    """Return what to do if the weights have another type or device than the images, else what a forward must take."""
    weights = next(model.parameters(), None) if isinstance(model, nn.Module) else None
    if weights is not None and (weights.dtype, weights.device) != (images.dtype, images.device):
        return (
            f"Its weights are {weights.dtype} on {weights.device}: convert the images or the model, "
            "or pass load_classifier(model), which converts."
        )
    return "Its forward must take unnormalised images of this size alone."
