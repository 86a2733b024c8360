"""JPEG compression: a round trip through a JPEG file of low quality.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261; constants as in hendrycks/robustness 8190fe3.
"""

from __future__ import annotations

from robustbench_eff.core.types import Pixels

from .corruption import Kernel
from .jpeg import roundtrip, through_compiled


def _apply(pixels: Pixels, quality: int) -> Pixels:
    return roundtrip(pixels, quality)


JPEG_COMPRESSION = Kernel(
    name="jpeg_compression",
    severities={"imagenet": (25, 18, 15, 10, 7), "cifar10": (80, 65, 58, 50, 40)},
    apply=_apply,
    compiled=through_compiled,
)
