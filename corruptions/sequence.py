"""What a sequence is: one picture filmed while something about it changes a little from frame to frame.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261, section 3 (ImageNet-P).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import torch

from robustbench_eff.core.errors import DataError, SpecError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels, RawImage

from .corruption import Constants

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceKernel(Generic[Value]):
    """A sequence with the constants of ImageNet-P and of CIFAR-10-P."""

    name: str
    difficulties: Mapping[Constants, Sequence[Value]]
    """What its constants are at difficulty 1 and on; of most there is one, for others show the same frames faster."""
    frames: Mapping[Constants, int]
    film: Callable[[RawImage, int, Value, RandomStreams], Pixels]
    """film(picture, size, constants, draws): as many frames of `size` as there are draws, the first of which are the
    picture's own."""
    stochastic: bool = False
    """Whether the frames depend on the seed."""
    noise: bool = False
    """Whether every frame is a draw of its own, to be compared with the first one and not with the one before."""
    version: int = 1
    """Raised whenever the same draws would give other frames."""

    def at(self, difficulty: int = 1, constants: Constants = "imagenet") -> FrameSequence:
        """The sequence at that difficulty."""
        return FrameSequence(difficulty, constants, kernel=self)


@dataclass(frozen=True, slots=True)
class FrameSequence:
    """A kernel with its constants. SpecError for a difficulty or constants that it does not have."""

    difficulty: int = 1
    constants: Constants = "imagenet"
    kernel: SequenceKernel[Any] = field(kw_only=True, repr=False)

    def __post_init__(self) -> None:
        if self.constants not in self.kernel.difficulties:
            known = ", ".join(self.kernel.difficulties)
            raise SpecError(f"{self.kernel.name} has no constants for {self.constants!r}.", f"Known: {known}.")
        most = len(self.kernel.difficulties[self.constants])
        if self.difficulty not in range(1, most + 1):
            known, hint = (f"1 to {most}", "") if most > 1 else ("1", "Others are scored from the same frames.")
            raise SpecError(f"{self.kernel.name}: difficulty must be {known}, got {self.difficulty}.", hint)

    @property
    def frames(self) -> int:
        """How many there are."""
        return self.kernel.frames[self.constants]

    @property
    def stochastic(self) -> bool:
        """Whether the frames depend on the seed."""
        return self.kernel.stochastic

    @property
    def configuration(self) -> dict[str, Any]:
        """All that decides which frames come out, the seed aside, and how they are compared."""
        return {
            "sequence": self.kernel.name,
            "version": self.kernel.version,
            "difficulty": self.difficulty,
            "constants": self.constants,
            "frames": self.frames,
            "compared_with": "first" if self.kernel.noise else "previous",
        }

    def __call__(self, picture: RawImage, size: int, draws: RandomStreams | None = None) -> Pixels:
        """Frames of the middle `size` x `size` pixels of a uint8 picture (H, W, 3), on the same device.

        What lies beyond the picture is black. `draws` hold the picture's one key; without them its key is that of
        position 0 at seed 0. Raises DataError for any other dtype or shape, or a picture smaller than `size`.
        """
        if picture.dtype != torch.uint8 or picture.ndim != 3 or picture.shape[-1] != 3:
            raise DataError(
                f"A sequence takes a uint8 picture of shape (H, W, 3), got {picture.dtype} {tuple(picture.shape)}.",
                "Pass 8-bit levels, channels last, one picture at a time.",
            )
        if min(picture.shape[:2]) < size:
            raise DataError(
                f"A picture of {picture.shape[1]}×{picture.shape[0]} pixels has no middle of {size}×{size}."
            )
        own = RandomStreams.given(draws, picture[None])
        numbers = torch.arange(self.frames, device=picture.device)
        return self.kernel.film(
            picture, size, self.kernel.difficulties[self.constants][self.difficulty - 1], own.fork(numbers)
        )
