"""How an attack queries a classifier: frozen parameters, small batches, counted passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor, nn

from robustbench_eff.errors import DataError, ModelError
from robustbench_eff.types import Counts, Images, ImagesToLogits, Labels, Logits, Rows

NO_GRADIENT = (
    "The model's output does not depend on its input through autograd.",
    "Remove torch.no_grad() or detach() from its forward, or use an attack without gradients.",
)
UNKNOWN = -1
"""What a counter says when passes cannot be told apart by sample."""

Loss: TypeAlias = Callable[[Logits, Labels], Float[Tensor, "batch"]]


class Oracle:
    """A classifier as attacks see it.

    Queries are cut into batches of `batch_size`, so an attack works on all its live samples at once and
    never mentions the size of the device. `num_forwards` and `num_backwards` count passes per sample.
    """

    def __init__(self, classifier: ImagesToLogits, *, batch_size: int = 256) -> None:
        self._classifier = classifier
        self._batch_size = batch_size
        self.num_forwards: Counts
        self.num_backwards: Counts
        self.watch(0)

    @classmethod
    @contextmanager
    def open(cls, classifier: ImagesToLogits, images: Images, labels: Labels) -> Iterator[Oracle]:
        """The oracle of one attack on `images` in [0, 1], with its counters at zero.

        Parameters are frozen inside and given back as they were. Raises DataError for images outside
        [0, 1] or labels that do not match them, ModelError for a model in train mode.
        """
        _check_images(images, labels)
        oracle = classifier if isinstance(classifier, Oracle) else cls(classifier)
        oracle.watch(len(images), images.device)
        with _frozen(oracle._classifier):
            yield oracle

    def __call__(self, images: Images) -> Logits:
        """The logits, differentiable, for an attack that takes its gradients itself.

        Passes are counted where the images are all the samples of the attack; otherwise, and for gradients,
        the counters say UNKNOWN.
        """
        if len(images) == len(self.num_forwards):
            self.num_forwards += torch.where(self.num_forwards == UNKNOWN, 0, 1)
        else:
            self.num_forwards.fill_(UNKNOWN)
        if images.requires_grad and torch.is_grad_enabled():
            self.num_backwards.fill_(UNKNOWN)
        return _joined([self._classifier(part) for part in images.split(self._batch_size)])

    def watch(self, samples: int, device: torch.device | str = "cpu") -> None:
        """Set the counters to zero for an attack on that many samples."""
        self.num_forwards = torch.zeros(samples, dtype=torch.int64, device=device)
        self.num_backwards = torch.zeros(samples, dtype=torch.int64, device=device)

    def logits(self, images: Images, rows: Rows) -> Logits:
        """Logits of `images`; `rows` says which samples of the attack they are."""
        self.num_forwards.index_add_(0, rows, torch.ones_like(rows))
        with torch.no_grad():
            return _joined([self._classifier(part) for part in images.split(self._batch_size)])

    def gradient(self, images: Images, labels: Labels, loss: Loss, rows: Rows) -> tuple[Logits, Images]:
        """Logits of `images` and the gradient of each sample's own loss with respect to its pixels.

        Raises ModelError where the logits do not depend on the pixels through autograd.
        """
        self.num_forwards.index_add_(0, rows, torch.ones_like(rows))
        self.num_backwards.index_add_(0, rows, torch.ones_like(rows))
        all_logits, gradients = [], []
        pairs = zip(images.split(self._batch_size), labels.split(self._batch_size), strict=True)
        for part, part_labels in pairs:
            pixels = part.detach().requires_grad_(True)
            with torch.enable_grad():
                logits = self._classifier(pixels)
                if not logits.requires_grad:
                    raise ModelError(*NO_GRADIENT)
                # A sum, so that no sample's gradient depends on how many others are in the batch.
                (gradient,) = torch.autograd.grad(loss(logits, part_labels).sum(), pixels, allow_unused=True)
            if gradient is None:
                raise ModelError(*NO_GRADIENT)
            all_logits.append(logits.detach())
            gradients.append(gradient)
        return _joined(all_logits), _joined(gradients)


def _joined(parts: list[Tensor]) -> Tensor:
    """One tensor, copied only if there are several parts."""
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _check_images(images: Images, labels: Labels) -> None:
    if images.ndim != 4 or not images.is_floating_point():
        raise DataError(
            f"An attack takes float images of shape (N, C, H, W), got {images.dtype} {tuple(images.shape)}."
        )
    if labels.shape != images.shape[:1]:
        raise DataError(f"{len(images)} images need as many labels, got shape {tuple(labels.shape)}.")
    if len(images) and not (images.amin() >= 0 and images.amax() <= 1):  # false for NaN too
        low, high = images.amin().item(), images.amax().item()
        raise DataError(
            f"An attack takes images in [0, 1], got values from {low:.3g} to {high:.3g}.",
            "Put the normalisation inside the model, and pass unnormalised pixels.",
        )


@contextmanager
def _frozen(classifier: ImagesToLogits) -> Iterator[None]:
    """Switch off parameter gradients, which an attack never needs, and put them back."""
    if not isinstance(classifier, nn.Module):
        yield
        return
    if any(module.training for module in classifier.modules()):
        raise ModelError(
            "The model is in train mode: batch norm and dropout would make samples depend on each other.",
            "Call model.eval() first.",
        )
    thawed = [parameter for parameter in classifier.parameters() if parameter.requires_grad]
    try:
        for parameter in thawed:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in thawed:
            parameter.requires_grad_(True)
