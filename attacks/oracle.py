"""How an attack queries a classifier: frozen parameters, a faster twin, batches that fit, counted passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from robustbench_eff.core.batching import Batches
from robustbench_eff.core.errors import DataError, ModelError
from robustbench_eff.core.precision import plain_float32
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Images, ImagesToLogits, Labels, Logits, Mask, QueryStats, SampleIndices

from .reduced_precision import Precision, accelerated

NO_GRADIENT = (
    "The model's output does not depend on its input through autograd.",
    "Remove torch.no_grad() or detach() from its forward, or use an attack without gradients.",
)
LARGEST_EXPONENT = 100
"""Of the power of two by which slopes are scaled: its inverse is a float32 too."""
UNKNOWN = -1
"""What a counter says when passes cannot be told apart by sample."""

Classes: TypeAlias = Int64[Tensor, "batch ..."]
"""What a loss compares the logits with: labels, or labels and targets side by side."""
Loss: TypeAlias = Callable[[Logits, Classes], Float[Tensor, "batch"]]


class Oracle:
    """A classifier as attacks see it.

    Attacks work on all their live samples at once and never mention devices, batches or precision. With
    `twin=None` the network is queried as it is; otherwise through a faster twin in that precision, and then
    `beaten` is where the plain float32 network has its say.
    """

    def __init__(
        self,
        classifier: ImagesToLogits,
        *,
        batch_size: int = 256,
        twin: Precision | None = None,
        compiled: bool = False,
    ) -> None:
        self.effort: QueryStats
        self._classifier = classifier
        self._batches = Batches(batch_size)
        self._twin: ImagesToLogits | None = classifier if twin is None else None
        self._precision, self._compiled = twin, compiled
        self._num_classes: int | None = None
        self.query_mode = "float32, as it is"
        """How the network is queried, in words."""
        self.watch(0)

    @classmethod
    @contextmanager
    def open(cls, classifier: ImagesToLogits, images: Images, labels: Labels) -> Iterator[Oracle]:
        """The oracle of one attack on `images` in [0, 1], with its account at zero.

        Parameters are frozen inside and given back as they were; autocast and TF32 are off. Raises DataError
        for images outside [0, 1] or labels that do not match them, ModelError for a model in train mode.
        """
        _check_images(images, labels)
        oracle = classifier if isinstance(classifier, Oracle) else cls(classifier)
        oracle.watch(len(images), images.device)
        with _frozen(oracle._classifier), plain_float32(images.device):
            yield oracle

    @contextmanager
    def part(self, rows: SampleIndices) -> Iterator[Oracle]:
        """This oracle for an attack on some of the samples; what that spends is added to their account."""
        whole = self.effort
        try:
            yield self
        finally:
            for all_rows, spent in zip(whole.counts(), self.effort.counts(), strict=True):
                if len(spent) == len(rows):  # an attack that did not begin has counted nothing
                    all_rows.index_add_(0, rows, spent)
            whole.notes.extend(note for note in self.effort.notes if note not in whole.notes)
            self.effort = whole

    def watch(self, samples: int, device: torch.device | str = "cpu") -> None:
        """Begin the account of an attack on that many samples."""
        self.effort = QueryStats.none(samples, device)

    def note(self, text: str) -> None:
        """Say that something was done otherwise than the attack's name promises."""
        if text not in self.effort.notes:
            self.effort.notes.append(text)

    def __call__(self, images: Images) -> Logits:
        """The plain network's logits, differentiable, for an attack that takes its gradients itself.

        Passes are counted where the images are all the samples of the attack; otherwise, and for gradients,
        the counters say UNKNOWN.
        """
        counts = self.effort
        if len(images) == len(counts.num_forwards):
            counts.num_forwards += torch.where(counts.num_forwards == UNKNOWN, 0, 1)
        else:
            counts.num_forwards.fill_(UNKNOWN)
        if images.requires_grad and torch.is_grad_enabled():
            counts.num_backwards.fill_(UNKNOWN)
        return self._batches.cat_map(self._classifier, images)

    def logits(self, images: Images, rows: SampleIndices) -> Logits:
        """Logits of `images`; `rows` says which samples of the attack they are, each as often as it is asked."""
        self.effort.num_forwards.index_add_(0, rows, torch.ones_like(rows))
        with torch.no_grad():
            logits = self._batches.cat_map(self._model(images), images)
            if self.twinned and (lost := self._lost(logits, rows)).any():
                logits[lost] = self._batches.cat_map(self._classifier, images[lost])
        return logits

    def gradient(
        self, images: Images, classes: Classes, loss: Loss, rows: SampleIndices, repeats: int = 1
    ) -> tuple[Logits, Images]:
        """Logits of `images` and the gradient of each sample's own loss with respect to its pixels.

        With `repeats` both are means over that many queries: expectation over transformation (Athalye et al.
        2018, arXiv:1707.07397), for networks that draw at random. Raises ModelError where the logits do not
        depend on the pixels through autograd.
        """
        ones = torch.full_like(rows, repeats)
        self.effort.num_forwards.index_add_(0, rows, ones)
        self.effort.num_backwards.index_add_(0, rows, ones)
        logits, gradient = self._gradient(images, classes, loss, rows)
        for _ in range(repeats - 1):
            more_logits, more_gradient = self._gradient(images, classes, loss, rows)
            logits, gradient = logits + more_logits, gradient + more_gradient
        if repeats > 1:
            logits, gradient = logits / repeats, gradient / repeats
        self.effort.zero_gradients.index_add_(0, rows, repeats * (gradient.flatten(1).abs().amax(1) == 0).long())
        return logits, gradient

    def beaten(self, logits: Logits, images: Images, labels: Labels, rows: SampleIndices) -> Mask:
        """Which samples are misclassified, given their logits; a twin's successes are asked of the plain network.

        What only the twin takes for a success is counted, and goes back to work.
        """
        claimed = logits.argmax(1) != labels
        if not self.twinned or not claimed.any():
            return claimed
        confirmed = self.misclassified(images[claimed], labels[claimed], rows[claimed])
        self.effort.false_positives.index_add_(0, rows[claimed], (~confirmed).long())
        return claimed.masked_scatter(claimed, confirmed)

    def misclassified(self, images: Images, labels: Labels, rows: SampleIndices) -> Mask:
        """Which of `images` the plain network gets wrong."""
        self.effort.num_forwards.index_add_(0, rows, torch.ones_like(rows))
        with torch.no_grad():
            return self._batches.cat_map(self._classifier, images).argmax(1) != labels

    def num_classes(self, images: Images) -> int:
        """How many logits there are, found out once from one image and counted for nobody."""
        if self._num_classes is None:
            with torch.no_grad():
                self._num_classes = int(self._classifier(images[:1]).shape[1])
        return self._num_classes

    def _gradient(self, images: Images, classes: Classes, loss: Loss, rows: SampleIndices) -> tuple[Logits, Images]:
        logits, gradient = self._gradient_of(self._model(images), images, classes, loss)
        if not self.twinned:
            return logits, gradient
        lost = self._lost(torch.cat((logits, gradient.flatten(1).abs().amax(1, keepdim=True)), 1), rows)
        if lost.any():
            self.effort.num_backwards.index_add_(0, rows[lost], torch.ones_like(rows[lost]))
            logits[lost], gradient[lost] = self._gradient_of(self._classifier, images[lost], classes[lost], loss)
        return logits, gradient

    def _gradient_of(
        self, model: ImagesToLogits, images: Images, classes: Classes, loss: Loss
    ) -> tuple[Logits, Images]:
        def query(part: Images, part_classes: Classes) -> tuple[Logits, Images]:
            pixels = part.detach().requires_grad_(True)
            with torch.enable_grad():
                logits = model(pixels)
                if not logits.requires_grad:
                    raise ModelError(*NO_GRADIENT)
                # A sum, so that no sample's gradient depends on how many others are in the batch.
                (slope,) = torch.autograd.grad(loss(logits, part_classes).sum(), logits)
            # On the way through the network each sample's slope has its largest entry near 1: the slope of cross
            # entropy where the network is sure is too small for 16 bits. A power of two rounds nothing.
            _, exponent = torch.frexp(slope.abs().amax(1, keepdim=True))
            exponent = exponent.clamp(-LARGEST_EXPONENT, LARGEST_EXPONENT)
            (gradient,) = torch.autograd.grad(logits, pixels, torch.ldexp(slope, -exponent), allow_unused=True)
            if gradient is None:
                raise ModelError(*NO_GRADIENT)
            # A twin's gradient comes channels-last, and arithmetic on mixed layouts takes several times as long.
            return logits.detach(), torch.ldexp(gradient.contiguous(), exponent[..., None, None])

        answers = self._batches.map(query, images, classes)
        if len(answers) == 1:
            return answers[0]
        return torch.cat([logits for logits, _ in answers]), torch.cat([gradient for _, gradient in answers])

    def _lost(self, answers: Tensor, rows: SampleIndices) -> Mask:
        """Which of a twin's answers are not finite, so that the plain network has to be asked; said in a note."""
        lost: Mask = ~answers.isfinite().all(1)
        if lost.any():
            self.effort.num_forwards.index_add_(0, rows[lost], torch.ones_like(rows[lost]))
            self.note("float32 was asked where the twin's numbers overflowed")
        return lost

    def _model(self, images: Images) -> ImagesToLogits:
        """What is queried: the twin, made when the first images show their size."""
        if self._twin is None:
            self.make_twin(images.shape[1:], images.device)
        assert self._twin is not None
        return self._twin

    def make_twin(self, shape: torch.Size, device: torch.device) -> None:
        """Make the twin for images of that shape (channels, height, width), unless there is none to make.

        It is tried on noise that is always the same, so whether it is used does not depend on the images.
        """
        if self._twin is None and self._precision is not None:
            probe = RandomStreams.of(0, range(4), device).uniform(shape, stream="twin")
            self._twin, self.query_mode = accelerated(self._classifier, probe, self._precision, compiled=self._compiled)

    @property
    def twinned(self) -> bool:
        """Whether a twin is queried, and not the network itself."""
        return self._twin is not self._classifier


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
