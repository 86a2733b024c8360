"""Training samples as 8-bit pixels, and a single batch of them as a recipe receives it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

import torch
import torch.nn.functional as functional
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from robustbench_eff.core import rng
from robustbench_eff.core.errors import DataError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Images, Labels

AllPixels: TypeAlias = UInt8[Tensor, "samples height width 3"]
AllClasses: TypeAlias = Int64[Tensor, "samples"]
AllTargets: TypeAlias = Float[Tensor, "samples classes"]
"""Class probabilities of all samples."""
Targets: TypeAlias = Float[Tensor, "batch classes"]
"""Class probabilities that the network should predict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Labelled 8-bit images in memory, memory-mapped or on the device."""

    pixels: AllPixels
    """RGB values, channels last."""
    labels: AllClasses
    """Class of every image."""
    num_classes: int
    """Number of classes of the network."""
    targets: AllTargets | None = None
    """Class probabilities that replace the labels in the loss, such as a teacher's predictions."""

    def __post_init__(self) -> None:
        if len(self.pixels) != len(self.labels):
            raise DataError(f"There are {len(self.pixels)} images and {len(self.labels)} labels.")

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device | str) -> Samples:
        """Return a copy on a device.

        Args:
            device: Where to put pixels, labels and targets.
        """
        targets = None if self.targets is None else self.targets.to(device)
        return replace(self, pixels=self.pixels.to(device), labels=self.labels.to(device), targets=targets)

    def images(self, rows: Int64[Tensor, batch]) -> Images:
        """Return some images as float32 (n, 3, H, W) in [0, 1], with channels last in memory.

        Args:
            rows: Indices of the samples.
        """
        return self.pixels[rows].permute(0, 3, 1, 2).float() / 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The samples of a step that belong to this process, and the random numbers of the step.

    Random numbers are drawn for the whole batch of all processes, and each process takes its slice. A sample
    therefore gets the same numbers for any number of processes.
    """

    images: Images
    """Augmented images in [0, 1]."""
    labels: Labels
    """Classes of the images."""
    targets: Targets
    """Class probabilities to train on: the smoothed labels, or the targets of the samples."""
    seed: int
    """Seed of the training."""
    step: int
    """Number of the step, from 0."""
    local_slice: slice
    """Position of these samples in the batch of all processes."""
    total: int
    """Size of the batch of all processes."""

    def generator(self, stream: str) -> torch.Generator:
        """Return a generator for what is drawn once per step.

        Args:
            stream: Name of the purpose; different names give independent numbers.
        """
        return rng.generator(self.seed, stream, self.step)

    def uniform(self, stream: str) -> Images:
        """Return uniform numbers in [0, 1) of the shape of the images.

        Args:
            stream: Name of the purpose; different names give independent numbers.
        """
        return self._draw(torch.rand, stream)

    def normal(self, stream: str) -> Images:
        """Return standard normal numbers of the shape of the images.

        Args:
            stream: Name of the purpose; different names give independent numbers.
        """
        return self._draw(torch.randn, stream)

    def draws(self) -> RandomStreams:
        """Return one random stream per sample, as stylisers use them."""
        positions = torch.arange(self.total, device=self.images.device)[self.local_slice]
        return RandomStreams(self.seed, positions + self.total * self.step)

    def _draw(self, distribution: object, stream: str) -> Images:
        device = self.images.device
        generator = rng.generator(self.seed, stream, self.step, device)
        shape = (self.total, *self.images.shape[1:])
        numbers: Tensor = distribution(shape, generator=generator, device=device)  # type: ignore[operator]
        return numbers[self.local_slice]


def smoothed(labels: Labels, num_classes: int, smoothing: float) -> Targets:
    """Return one-hot labels with label smoothing.

    Args:
        labels: Classes, shape (n,).
        num_classes: Number of classes.
        smoothing: Probability that is spread evenly over all classes, from 0 to 1.

    Source:
        Szegedy et al. 2016, arXiv:1512.00567.
    """
    return functional.one_hot(labels, num_classes).float() * (1 - smoothing) + smoothing / num_classes


def order(count: int, seed: int, epoch: int) -> Int64[Tensor, samples]:
    """Return the order of the samples in an epoch, a permutation.

    Args:
        count: Number of samples.
        seed: Seed of the training.
        epoch: Number of the epoch, from 0.
    """
    return torch.randperm(count, generator=rng.generator(seed, "order", epoch))


def steps(count: int, batch_size: int, seed: int, first: int, last: int) -> Iterator[tuple[int, Int64[Tensor, rows]]]:
    """Yield the number and the sample indices of every step; the incomplete last batch of an epoch is left out.

    Args:
        count: Number of samples.
        batch_size: Samples per step.
        seed: Seed of the training.
        first: First step, from 0 at the start of the training.
        last: Step to stop before.
    """
    per_epoch = count // batch_size
    epoch, rows = -1, torch.empty(0, dtype=torch.int64)
    for step in range(first, last):
        if step // per_epoch != epoch:
            epoch = step // per_epoch
            rows = order(count, seed, epoch)
        start = step % per_epoch * batch_size
        yield step, rows[start : start + batch_size]
