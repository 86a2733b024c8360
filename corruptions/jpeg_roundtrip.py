"""Corrupted images after a round trip through JPEG files, in which the published sets are stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels

from .corruption import Corruption
from .jpeg_compression import JPEG_COMPRESSION


@dataclass(frozen=True, slots=True)
class JpegSaved:
    """A corruption, followed by a round trip through a JPEG file. See `ImageCorruption`."""

    corruption: Corruption
    """The corruption to apply first."""
    quality: int
    """Quality of the JPEG file, 1 to 100."""

    @property
    def configuration(self) -> dict[str, Any]:
        """Everything that decides which images come out, except the seed."""
        return {**self.corruption.configuration, "jpeg_quality": self.quality}

    @property
    def stochastic(self) -> bool:
        """True if the images depend on the seed."""
        return self.corruption.stochastic

    def __call__(self, pixels: Pixels, draws: RandomStreams | None = None) -> Pixels:
        """Corrupt uint8 images (N, H, W, 3), then encode and decode them. See `ImageCorruption`."""
        return JPEG_COMPRESSION.applied(self.corruption(pixels, draws), self.quality)
