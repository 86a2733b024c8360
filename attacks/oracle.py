"""Query interface of attacks: frozen parameters, a low-precision copy, batches that fit into memory, counted passes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from robustbench_eff.core.batching import Batches
from robustbench_eff.core.precision import plain_float32
from robustbench_eff.core.types import Images, ImagesToLogits, Labels, Logits, Mask, SampleIndices

from .checked_model import CheckedModel
from .copies import Copies
from .input_gradient import gradient_in_batches, without_nan
from .losses import Classes, Loss, margin
from .overflow import Overflow
from .preconditions import check_images, frozen_parameters
from .random_outputs import ALMOST_NONE, MINORITY, wrong_in_draws
from .reduced_precision import Precision
from .spent_queries import SpentQueries
from .window_queries import WindowQueries, Windows


class Oracle(SpentQueries):
    """A classifier as attacks query it.

    Attacks process all their live samples at once and never deal with devices, batches or precision. Without a
    `precision` the network is queried unmodified; otherwise the queries go to a copy of it, see `Copies`, and
    `successes` confirms every success with the plain float32 network.
    """

    def __init__(
        self,
        classifier: ImagesToLogits,
        *,
        batch_size: int = 256,
        precision: Precision | None = None,
        compiled: bool = False,
    ) -> None:
        """Wrap a classifier; its copies are made at the first query, or by `make_copies`.

        Args:
            classifier: Maps images in [0, 1] to logits.
            batch_size: Images per pass; halved when memory runs out.
            precision: Precision of the copies that are queried instead of the network; None queries the network.
            compiled: Compile the copies with `torch.compile`.
        """
        super().__init__()
        self._classifier = classifier
        self._ask = CheckedModel(classifier)
        """The classifier as all passes query it that do not go to a copy."""
        self._batches = Batches(batch_size)
        self._copies = Copies(classifier, precision, compiled=compiled)
        self._windows: WindowQueries | bool = True
        """How images that differ in a window are queried; True until the first of an attack, False if as a whole."""
        self._num_classes: int | None = None
        self.overflow = Overflow()
        """Finds answers of the copies that are not finite."""

    @classmethod
    @contextmanager
    def open(cls, classifier: ImagesToLogits, images: Images, labels: Labels) -> Iterator[Oracle]:
        """Open the oracle of one attack, with all counters at zero.

        Inside the `with` block the parameters are frozen, and autocast and TF32 are off; afterwards everything is
        restored.

        Args:
            classifier: The model, or an oracle, which is reused.
            images: Clean images of the attack, in [0, 1].
            labels: Their true classes.

        Yields:
            The oracle.

        Raises:
            DataError: If the images are not float, not 4-dimensional or not in [0, 1], or the labels do not match.
            ModelError: If the model is in train mode, or returns something else than finite logits.
        """
        check_images(images, labels)
        oracle = classifier if isinstance(classifier, Oracle) else cls(classifier)
        oracle.watch(len(images), images.device)
        oracle.overflow = Overflow()
        oracle._windows = True  # the base images, and perhaps the weights, have changed
        with frozen_parameters(oracle._classifier), plain_float32(images.device), oracle._ask.attack(labels):
            yield oracle
            oracle.overflow.finish(oracle.counts)

    def __call__(self, images: Images) -> Logits:
        """Return the plain network's logits, differentiable, for attacks that compute gradients themselves.

        Forward passes are counted if the images are all the samples of the attack. Otherwise, and for gradients, the
        counters are UNKNOWN.
        """
        with_gradients = images.requires_grad and torch.is_grad_enabled()
        if with_gradients:
            self._ask.check_differentiable()
        self.counts.add_call(len(images), with_gradients=with_gradients)
        return self._batches.cat_map(self._ask, images)

    def logits(self, images: Images, rows: SampleIndices, windows: Windows | None = None) -> Logits:
        """Return the logits of images, without gradients.

        Args:
            images: Images in [0, 1].
            rows: Index of the sample that each image belongs to; several may belong to the same sample.
            windows: Where the images differ from base images, of which each sample has one; see `WindowQueries`.
        """
        self.counts.add(rows, self.draws or 1)
        with torch.no_grad():
            if windows is not None and isinstance(self._windows, WindowQueries) and self._windows.pays(windows.size):
                return self._windows.logits(images, rows, windows, lambda some: self._whole(images[some], rows[some]))
            logits = self._whole(images, rows)
            if windows is not None and self._windows is True:
                exact = self.draws is None and not (self.uses_copy and self._copies.precision == "float16")
                found = WindowQueries.of(self._classifier, images, rows, windows, logits) if exact else None
                self._windows = found or False
        return logits

    def _whole(self, images: Images, rows: SampleIndices) -> Logits:
        """Return the logits of whole passes, which the caller counts."""
        network = self._queried(images)
        answers = [self._batches.cat_map(network, images) for _ in range(self.draws or 1)]
        logits = answers[0] if len(answers) == 1 else torch.stack(answers).mean(0)
        if self.uses_copy and (overflowed := self.overflow.where(self.counts, rows, logits)) is not None:
            logits[overflowed] = self._batches.cat_map(self._ask, images[overflowed])
        return logits

    def gradient(
        self,
        images: Images,
        classes: Classes,
        loss: Loss,
        rows: SampleIndices,
        repeats: int = 1,
        *,
        rough: bool = False,
    ) -> tuple[Logits, Images]:
        """Return logits, and the gradient of each sample's own loss with respect to its pixels.

        Args:
            images: Images in [0, 1].
            classes: Labels, or labels and targets side by side, as `loss` takes them.
            loss: Maps logits and classes to one value per image.
            rows: Index of the sample that each image belongs to; several may belong to the same sample.
            repeats: Queries to average over, for networks that draw random numbers: expectation over transformation
                (Athalye et al. 2018, arXiv:1707.07397). With 1, as many as `draws` says.
            rough: The attack takes many steps, which forgive the rounding of bfloat16.

        Returns:
            Logits, shape (batch, classes), and gradients, with the shape of `images`. A NaN in a gradient becomes zero,
            and the gradient counts as one that is zero.

        Raises:
            ModelError: If the logits do not depend on the pixels through autograd.
        """
        self._ask.check_differentiable()
        repeats = (self.draws or 1) if repeats == 1 else repeats
        logits, gradient = self._gradient(images, classes, loss, rows, rough=rough)
        for _ in range(repeats - 1):
            more_logits, more_gradient = self._gradient(images, classes, loss, rows, rough=rough)
            logits, gradient = logits + more_logits, gradient + more_gradient
        if repeats > 1:
            logits, gradient = logits / repeats, gradient / repeats
        gradient, sizes = without_nan(gradient)
        self.counts.add(rows, repeats, sizes)
        return logits, gradient

    def successes(
        self, logits: Logits, images: Images, labels: Labels, rows: SampleIndices, *, majority: bool = False
    ) -> Mask:
        """Return which images are misclassified, given their logits.

        The plain network confirms the successes against a low-precision copy. Those that it refutes are counted as
        false positives, and the attack on these samples continues. A network that draws at random confirms all.

        Args:
            logits: Logits of the images.
            images: Images in [0, 1].
            labels: True class of each image.
            rows: Index of the sample that each image belongs to.
            majority: See `misclassified`.
        """
        self.tried(logits, images, labels, rows, majority=majority)
        claimed = logits.argmax(1) != labels
        if not claimed.any():
            return claimed
        confirmed = self.confirmed(images[claimed], labels[claimed], rows[claimed], majority=majority)
        return claimed if confirmed is None else claimed.masked_scatter(claimed, confirmed)

    def tried(
        self, logits: Logits, images: Images, labels: Labels, rows: SampleIndices, *, majority: bool = False
    ) -> None:
        """Keep the best images that an attack tries as successes on a network that draws at random."""
        if self.draws is not None and not majority:
            self.attempts.record(margin(logits, labels), images, rows)

    def confirmed(self, images: Images, labels: Labels, rows: SampleIndices, *, majority: bool = False) -> Mask | None:
        """Return which of the images with wrong logits are successes; None for all, as without a copy."""
        if self.draws is None and not self.uses_copy:
            return None
        confirmed = self.misclassified(images, labels, rows, majority=majority)
        if self.uses_copy:
            self.counts.add_false_positives(rows, ~confirmed)
        return confirmed

    def misclassified(self, images: Images, labels: Labels, rows: SampleIndices, *, majority: bool = False) -> Mask:
        """Return which images the plain network misclassifies.

        Args:
            images: Images in [0, 1].
            labels: True class of each image.
            rows: Index of the sample that each image belongs to.
            majority: Of a network that draws at random, ask for 60 % of 256 draws to be wrong instead of all but one.
        """
        if self.draws is not None:
            return wrong_in_draws(self.count_right, images, labels, rows, MINORITY if majority else ALMOST_NONE)
        return self.count_right(images, labels, rows) == 0

    def count_right(self, images: Images, labels: Labels, rows: SampleIndices, queries: int = 1) -> Tensor:
        """Return how many queries of the plain network classify each image correctly, int64; see `misclassified`."""
        self.counts.add_at_once(rows, queries)
        with torch.no_grad():
            answers = (self._batches.cat_map(self._ask, images).argmax(1) == labels for _ in range(queries))
            return sum(answers, torch.zeros_like(labels))

    def num_classes(self, images: Images) -> int:
        """Return the number of logits, determined once from one image without counting the pass.

        Args:
            images: At least one image in [0, 1].
        """
        if self._num_classes is None:
            with torch.no_grad():
                self._num_classes = int(self._ask(images[:1]).shape[1])
        return self._num_classes

    def make_copies(self, shape: torch.Size, device: torch.device) -> Copies:
        """Make and return the copies that answer queries; see `Copies.make`."""
        self._copies.make(shape, device)
        return self._copies

    @property
    def query_mode(self) -> str:
        """Description of how the network is queried."""
        return self._copies.description

    @property
    def batch_size(self) -> int:
        """Images per pass, at present."""
        return self._batches.size

    @property
    def uses_copy(self) -> bool:
        """True if queries go to a copy, not to the network itself."""
        return self._copies.exist

    def _queried(self, images: Images, *, rough: bool = False) -> ImagesToLogits:
        """Return the model to query; the copies are made when the first images show their size."""
        copies = self.make_copies(images.shape[1:], images.device)
        return (copies.rough if rough else copies.fine) if copies.exist else self._ask

    def _gradient(
        self, images: Images, classes: Classes, loss: Loss, rows: SampleIndices, *, rough: bool = False
    ) -> tuple[Logits, Images]:
        network = self._queried(images, rough=rough)
        logits, gradient = gradient_in_batches(network, images, classes, loss, self._batches)
        if not self.uses_copy:
            return logits, gradient
        overflowed = self.overflow.where(self.counts, rows, logits, gradient)
        if overflowed is not None:
            logits[overflowed], gradient[overflowed] = gradient_in_batches(
                self._ask, images[overflowed], classes[overflowed], loss, self._batches
            )
        return logits, gradient
