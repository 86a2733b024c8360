"""Corrupted images as they come back from files: published sets are JPEG files, and that is one more corruption."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels

from .corruption import Corruption
from .jpeg_compression import JPEG_COMPRESSION


@dataclass(frozen=True, slots=True)
class JpegSaved:
    """A corruption, then a JPEG file of that quality, 1 to 100."""

    corruption: Corruption
    quality: int

    @property
    def configuration(self) -> dict[str, Any]:
        """All that decides which images come out, the seed aside."""
        return {**self.corruption.configuration, "jpeg_quality": self.quality}

    @property
    def stochastic(self) -> bool:
        """Whether the images depend on the seed."""
        return self.corruption.stochastic

    def __call__(self, pixels: Pixels, draws: RandomStreams | None = None) -> Pixels:
        """Corrupted images for uint8 `pixels` (N, H, W, 3), of the same shape; errors as Corruption."""
        return JPEG_COMPRESSION.applied(self.corruption(pixels, draws), self.quality)
