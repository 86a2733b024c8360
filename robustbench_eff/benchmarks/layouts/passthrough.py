"""Corruptions and sequences that are in the files already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from robustbench_eff.core.errors import DataError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import FrameGenerator, ImageCorruption, Pixels


@dataclass(frozen=True, slots=True)
class Published:
    """A corruption or sequence that is in the files already; `of` is what it would be if we made it."""

    of: ImageCorruption | FrameGenerator

    @property
    def configuration(self) -> dict[str, Any]:
        """What the files were made with, as far as their names say."""
        known = {
            name: value for name, value in self.of.configuration.items() if name not in ("version", "jpeg_quality")
        }
        return {**known, "published": True}

    @property
    def stochastic(self) -> bool:
        """Nothing is drawn any more."""
        return False

    def __call__(self, pixels: Pixels, draws: RandomStreams | None = None) -> Pixels:
        """The images as they are."""
        del draws
        return pixels


@dataclass(frozen=True, slots=True)
class PublishedFrames(Published):
    """The same of a sequence."""

    of: FrameGenerator

    @property
    def frames(self) -> int:
        """How many there should be."""
        return self.of.frames

    def __call__(self, picture: Any, size: int, draws: RandomStreams | None = None) -> Pixels:  # type: ignore[override]
        """The frames as they are; DataError where there are more or fewer than in the published set."""
        del size, draws
        frames: Pixels = picture
        if len(frames) != self.frames:
            name = self.of.configuration["sequence"]
            raise DataError(f"A published {name} has {len(frames)} frames, not {self.frames}.", "Is it whole?")
        return frames
