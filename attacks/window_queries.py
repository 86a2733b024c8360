"""Queries of images that differ from known images in a small window, answered incrementally where that pays."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor, nn

from robustbench_eff.core.batching import Batches
from robustbench_eff.core.types import AllImages, Images, ImagesToLogits, Labels, Logits, Mask, SampleIndices

from .incremental import Group, IncrementalNetwork
from .local_operations import Pair
from .losses import margin
from .reduced_precision import MAX_LOGIT_ERROR, accelerated
from .traced_network import UNTRACEABLE, has_hooks
from .window_geometry import Numbers

MAX_BASE_VALUES = 2**27
"""Values of activations that are kept of base images: half a gigabyte of float32."""
WORTHWHILE = 0.85
"""Fraction of the multiplications and additions that must remain at most; otherwise images are queried whole."""


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows outside of which images equal their base images."""

    base: AllImages
    """The base images."""
    numbers: SampleIndices
    """Index into `base` of each image's base image."""
    top: Int64[Tensor, batch]
    """First row of each window."""
    left: Int64[Tensor, batch]
    """First column of each window."""
    size: Pair
    """Height and width of the windows, in pixels."""
    labels: Labels
    """True class of each image. An image that seems to be misclassified is queried whole."""


class WindowQueries:
    """A float32 network on a CPU that is queried incrementally.

    Its logits may differ from those of the whole network in their last bits, because batch norms are folded and sums
    are added up in another order. Whether an image is misclassified is therefore decided by the whole network: an image
    whose logits are within rounding of that, or beyond, is queried again. The repeated query is part of the first one
    and not counted, nor are the passes of the base images.
    """

    def __init__(self, network: nn.Module, probe: Images) -> None:
        """Trace a network.

        Args:
            network: The network, or a float32 copy of it.
            probe: Images of the size to query, at least two.

        Raises:
            ValueError, RuntimeError, ...: It cannot be queried incrementally; see `UNTRACEABLE`.
        """
        self._network = IncrementalNetwork(network, probe)
        self._batches = Batches(self._network.group)
        self._slots: dict[int, int] = {}
        """Where the activations of each sample's base image are kept."""
        self._capacity = MAX_BASE_VALUES // max(1, self._network.values_per_base)
        self._tolerance = 0.0
        """Margin below which an image may be misclassified by the whole network."""

    @classmethod
    def of(
        cls, classifier: ImagesToLogits, images: Images, rows: SampleIndices, windows: Windows, logits: Logits
    ) -> WindowQueries | None:
        """Return a copy of a classifier that is queried incrementally.

        Args:
            classifier: The classifier; it is not called.
            images: Images that it has answered.
            rows: Index of the sample that each image belongs to.
            windows: Where they differ from their base images.
            logits: The classifier's answers.

        Returns:
            The copy; None if it cannot be made, does not save enough or gives other answers than the classifier.
        """
        if (
            not isinstance(classifier, nn.Module)
            or images.device.type != "cpu"
            or len(images) < 2
            or has_hooks(classifier)
        ):
            return None
        try:
            folded, _ = accelerated(copy.deepcopy(classifier), images[:2].clone(), "float32", compiled=False)
            queries = cls(folded, images[:2])  # type: ignore[arg-type]
            return queries if queries.pays(windows.size) and queries._agrees(images, rows, windows, logits) else None
        except torch.OutOfMemoryError:
            raise
        except UNTRACEABLE:
            return None

    def pays(self, size: Pair) -> bool:
        """Return whether incremental queries of windows of a size save enough operations.

        Args:
            size: Height and width of the windows, in pixels.
        """
        return self._capacity > 0 and self.share(size) <= WORTHWHILE

    def share(self, size: Pair) -> float:
        """Return the fraction of the multiplications and additions of all convolutions that remain.

        Args:
            size: Height and width of the windows, in pixels.
        """
        return self._network.geometry(size).share

    def logits(self, images: Images, rows: SampleIndices, windows: Windows, whole: Callable[[Mask], Logits]) -> Logits:
        """Return the logits of images; those that may be misclassified are answered by the whole network.

        Args:
            images: Images in [0, 1].
            rows: Index of the sample that each image belongs to.
            windows: Where the images differ from their base images.
            whole: Returns the whole network's logits of some of the images.
        """
        logits = self.incremental_logits(images, rows, windows)
        doubtful = ~(margin(logits, windows.labels) > self._tolerance)  # also where they are not finite
        if doubtful.any():
            logits[doubtful] = whole(doubtful)
        return logits

    def incremental_logits(self, images: Images, rows: SampleIndices, windows: Windows) -> Logits:
        """Return incremental logits of images.

        Args:
            images: Images in [0, 1].
            rows: Index of the sample that each image belongs to.
            windows: Where the images differ from their base images.
        """
        samples, position = np.unique(rows.numpy(), return_inverse=True)
        logits: list[Logits] = []
        numbers: list[Numbers] = []
        for start in range(0, len(samples), self._capacity):
            numbers.append(np.flatnonzero((position >= start) & (position < start + self._capacity)))
            logits.append(self._some(images, rows, windows, numbers[-1]))
        together = torch.cat(logits)
        return torch.empty_like(together).index_copy_(0, torch.from_numpy(np.concatenate(numbers)), together)

    def _some(self, images: Images, rows: SampleIndices, windows: Windows, chosen: Numbers) -> Logits:
        """Return the logits of some images, whose base images fit into memory."""
        slots = self._load(rows, windows, chosen)
        top, left = windows.top.numpy()[chosen], windows.left.numpy()[chosen]
        order = self._network.geometry(windows.size).order(top, left, self._batches.size)

        def answer(part: Tensor) -> Logits:
            some = part.numpy()
            return self._network(images, windows.size, Group(chosen[some], top[some], left[some], slots[some]))

        logits = self._batches.cat_map(answer, torch.from_numpy(order))
        return torch.empty_like(logits).index_copy_(0, torch.from_numpy(order), logits)

    def _load(self, rows: SampleIndices, windows: Windows, chosen: Numbers) -> Numbers:
        """Keep the base images of some images; return where."""
        samples, first, position = np.unique(rows.numpy()[chosen], return_index=True, return_inverse=True)
        missing = [number for number, sample in enumerate(samples.tolist()) if sample not in self._slots]
        if len(self._slots) + len(missing) > self._capacity:
            self._slots.clear()
            missing = [*range(len(samples))]
        free = sorted({*range(self._capacity)} - {*self._slots.values()})
        for start in range(0, len(missing), self._batches.size):
            part = missing[start : start + self._batches.size]
            slots = np.array(free[start : start + len(part)])
            base = windows.base[windows.numbers[torch.from_numpy(chosen[first[part]])]]
            self._network.load(base, slots, self._capacity)
            self._slots.update(zip(samples[part].tolist(), slots.tolist(), strict=True))
        return np.array([self._slots[sample] for sample in samples.tolist()])[position]

    def _agrees(self, images: Images, rows: SampleIndices, windows: Windows, logits: Logits) -> bool:
        """Return whether incremental logits equal those of the classifier but for rounding."""
        self._capacity = min(self._capacity, len(windows.base))
        self._tolerance = MAX_LOGIT_ERROR["float32"] * float(logits.std())
        few = slice(self._batches.size)
        some = replace(windows, **{name: getattr(windows, name)[few] for name in ("numbers", "top", "left", "labels")})
        error = (self.incremental_logits(images[few], rows[few], some) - logits[few]).abs().max()
        return bool(error <= self._tolerance)
