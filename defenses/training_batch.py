"""What is trained on: all images as 8-bit pixels, and one batch of them as a recipe sees it."""

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
Targets: TypeAlias = Float[Tensor, "batch classes"]
"""Probabilities of the classes that a network should give."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Labelled images, 8 bits a value, in memory, memory-mapped or on the device."""

    pixels: AllPixels
    labels: AllClasses
    num_classes: int
    targets: Float[Tensor, "samples classes"] | None = None
    """Probabilities instead of labels, as a teacher gives them."""

    def __post_init__(self) -> None:
        if len(self.pixels) != len(self.labels):
            raise DataError(f"There are {len(self.pixels)} images and {len(self.labels)} labels.")

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device | str) -> Samples:
        """The same on a device."""
        moved = None if self.targets is None else self.targets.to(device)
        return replace(self, pixels=self.pixels.to(device), labels=self.labels.to(device), targets=moved)

    def images(self, rows: Int64[Tensor, batch]) -> Images:
        """These samples as float32 (n, 3, H, W) in [0, 1], channels last in memory."""
        return self.pixels[rows].permute(0, 3, 1, 2).float() / 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The samples of one step that belong to this process, and the random numbers of that step.

    Draws are made for the whole batch of all processes, and a process takes its part: so any number of them draws the
    same for a sample.
    """

    images: Images
    """In [0, 1], augmented."""
    labels: Labels
    targets: Targets
    """The labels as smoothed probabilities."""
    seed: int
    step: int
    part: slice
    """Which of the samples of the step these are."""
    total: int
    """How many samples the step has in all processes."""

    def generator(self, stream: str) -> torch.Generator:
        """For what is drawn once for the step."""
        return rng.generator(self.seed, stream, self.step)

    def uniform(self, stream: str) -> Images:
        """Numbers in [0, 1) of the shape of the images."""
        return self._drawn(torch.rand, stream)

    def normal(self, stream: str) -> Images:
        """Standard normal numbers of the shape of the images."""
        return self._drawn(torch.randn, stream)

    def draws(self) -> RandomStreams:
        """The same as stylisers take them."""
        places = torch.arange(self.total, device=self.images.device)[self.part]
        return RandomStreams(self.seed, places + self.total * self.step)

    def _drawn(self, draw: object, stream: str) -> Images:
        device = self.images.device
        generator = rng.generator(self.seed, stream, self.step, device)
        shape = (self.total, *self.images.shape[1:])
        numbers: Tensor = draw(shape, generator=generator, device=device)  # type: ignore[operator]
        return numbers[self.part]


def smoothed(labels: Labels, num_classes: int, smoothing: float) -> Targets:
    """One-hot labels that leave `smoothing` to all classes alike (Szegedy et al. 2016, arXiv:1512.00567)."""
    return functional.one_hot(labels, num_classes).float() * (1 - smoothing) + smoothing / num_classes


def order(count: int, seed: int, epoch: int) -> Int64[Tensor, samples]:
    """The samples in the order of that epoch."""
    return torch.randperm(count, generator=rng.generator(seed, "order", epoch))


def steps(count: int, batch_size: int, seed: int, first: int, last: int) -> Iterator[tuple[int, Int64[Tensor, rows]]]:
    """The rows of every step from `first` to before `last`; of an epoch the incomplete last batch is left out."""
    per_epoch = count // batch_size
    epoch, rows = -1, torch.empty(0, dtype=torch.int64)
    for step in range(first, last):
        if step // per_epoch != epoch:
            epoch = step // per_epoch
            rows = order(count, seed, epoch)
        place = step % per_epoch * batch_size
        yield step, rows[place : place + batch_size]
