"""A sequence: one picture filmed while something about it changes a little from frame to frame.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261, section 3 (ImageNet-P).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import torch

from robustbench_eff.core.center_crop import Centers, center_crop
from robustbench_eff.core.errors import DataError, SpecError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels, RawImage

from .corruption import Constants

Value = TypeVar("Value")


def clean_frames(picture: RawImage, size: int, count: int) -> Centers:
    """Return the centre of the picture, repeated.

    Args:
        picture: Picture at least as large as a frame.
        size: Side of a frame in pixels.
        count: Number of frames.
    """
    return center_crop(picture[None], size).repeat(count, 1, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceKernel(Generic[Value]):
    """A sequence with the constants of ImageNet-P and of CIFAR-10-P."""

    name: str
    difficulties: Mapping[Constants, Sequence[Value]]
    """For each set of constants, the values at difficulty 1 and up. Most sequences have a single difficulty: the others
    show the same frames faster."""
    frames: Mapping[Constants, int]
    """Number of frames."""
    film: Callable[[RawImage, int, Value, RandomStreams], Pixels]
    """film(picture, size, constants, draws) returns one frame of `size` pixels per draw; the first draw is that of the
    picture itself."""
    stochastic: bool = False
    """True if the frames depend on the seed."""
    noise: bool = False
    """True if every frame is a draw of its own, so that it is compared with the first frame, not with the previous."""
    version: int = 1
    """Increased whenever the same draws would give other frames."""

    def at(self, difficulty: int = 1, constants: Constants = "imagenet") -> FrameSequence:
        """Return the sequence at one difficulty.

        Args:
            difficulty: 1 up to the number of difficulties.
            constants: The set of constants.

        Raises:
            SpecError: The kernel does not define that difficulty or those constants.
        """
        return FrameSequence(difficulty, constants, kernel=self)


@dataclass(frozen=True, slots=True)
class FrameSequence:
    """A sequence at one difficulty. See `FrameGenerator`.

    Raises:
        SpecError: The kernel does not define that difficulty or those constants.
    """

    difficulty: int = 1
    """1 up to the number of difficulties."""
    constants: Constants = "imagenet"
    """The set of constants."""
    kernel: SequenceKernel[Any] = field(kw_only=True, repr=False)
    """The row of the table; it is not part of the spec text."""

    def __post_init__(self) -> None:
        if self.constants not in self.kernel.difficulties:
            defined = ", ".join(self.kernel.difficulties)
            raise SpecError(
                f"{self.kernel.name} does not define constants for {self.constants!r}.", f"Defined: {defined}."
            )
        hardest = len(self.kernel.difficulties[self.constants])
        if self.difficulty not in range(1, hardest + 1):
            accepted, hint = (
                (f"1 to {hardest}", "") if hardest > 1 else ("1", "Others are scored from the same frames.")
            )
            raise SpecError(f"{self.kernel.name}: difficulty must be {accepted}, got {self.difficulty}.", hint)

    @property
    def frames(self) -> int:
        """Number of frames."""
        return self.kernel.frames[self.constants]

    @property
    def stochastic(self) -> bool:
        """True if the frames depend on the seed."""
        return self.kernel.stochastic

    @property
    def configuration(self) -> dict[str, Any]:
        """Everything that decides which frames come out and how they are compared, except the seed."""
        return {
            "sequence": self.kernel.name,
            "version": self.kernel.version,
            "difficulty": self.difficulty,
            "constants": self.constants,
            "frames": self.frames,
            "compared_with": "first" if self.kernel.noise else "previous",
        }

    def __call__(self, picture: RawImage, size: int, draws: RandomStreams | None = None) -> Pixels:
        """Film the central `size` x `size` pixels of a uint8 picture (H, W, 3). See `FrameGenerator`.

        Beyond the picture lies black. `draws` contain one key, that of the picture; by default the key of position 0
        at seed 0.
        """
        if picture.dtype != torch.uint8 or picture.ndim != 3 or picture.shape[-1] != 3:
            raise DataError(
                f"A sequence takes a uint8 picture of shape (H, W, 3), got {picture.dtype} {tuple(picture.shape)}.",
                "Pass 8-bit levels, channels last, one picture at a time.",
            )
        height, width = picture.shape[:2]
        if min(height, width) < size:
            raise DataError(f"A picture of {width}×{height} pixels is smaller than a frame of {size}×{size}.")
        value = self.kernel.difficulties[self.constants][self.difficulty - 1]
        frame_numbers = torch.arange(self.frames, device=picture.device)
        return self.kernel.film(picture, size, value, RandomStreams.given(draws, picture[None]).fork(frame_numbers))
