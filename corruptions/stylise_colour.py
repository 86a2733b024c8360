"""Colour transfer: every channel gets the mean and the standard deviation of the style's."""

from __future__ import annotations

from dataclasses import dataclass

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Images

from .stylise import check, deviation, interpolate

PIXELS = (2, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Colour:
    """Transfers the style's mean and standard deviation of red, green and blue, but no texture.

    Source: Reinhard, Ashikhmin, Gooch & Shirley 2001, "Color transfer between images" (IEEE CG&A 21).
    Differs: in RGB instead of their decorrelated space, whose logarithms are undefined for black.
    """

    @property
    def stochastic(self) -> bool:
        """True if the images depend on the draws."""
        return False

    def __call__(
        self, content: Images, style: Images, strength: float = 1.0, draws: RandomStreams | None = None
    ) -> Images:
        """Give the content the colours of the style. See `Styliser`."""
        del draws
        check(content, style, strength)
        centred = content - content.mean(PIXELS, keepdim=True)
        scale = deviation(style, PIXELS) / deviation(content, PIXELS)
        return interpolate(content, centred * scale + style.mean(PIXELS, keepdim=True), strength)
