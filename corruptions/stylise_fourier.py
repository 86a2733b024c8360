"""Amplitude swap: combines the phases of the content with the amplitudes of the style."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from robustbench_eff.core.errors import SpecError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Images

from .stylise import check, interpolate


@dataclass(frozen=True, slots=True, kw_only=True)
class Fourier:
    """Recombines amplitude and phase of two images, channel by channel; for low frequencies alone this is FDA.

    Source: Chen et al. 2021, arXiv:2108.08487 (APR-P: all frequencies); Yang & Soatto 2020, arXiv:2004.05498 (FDA: a
    square of the lowest, `beta` 0.01 to 0.09).
    Differs: `beta` is in cycles per pixel along each side, which equals theirs for square images.
    """

    beta: float = 0.5
    """Highest frequency whose amplitude is swapped, in cycles per pixel; 0.5 includes all of them."""

    def __post_init__(self) -> None:
        if not 0 < self.beta <= 0.5:
            raise SpecError(f"beta must be above 0 and at most 0.5 cycles per pixel, got {self.beta}.")

    @property
    def stochastic(self) -> bool:
        """True if the images depend on the draws."""
        return False

    def __call__(
        self, content: Images, style: Images, strength: float = 1.0, draws: RandomStreams | None = None
    ) -> Images:
        """Give the content the amplitudes of the style. See `Styliser`."""
        del draws
        check(content, style, strength)
        if not len(content):
            return content.clone()
        size = (content.shape[-2], content.shape[-1])
        content_spectrum, style_spectrum = torch.fft.rfft2(content), torch.fft.rfft2(style)
        swapped = torch.polar(style_spectrum.abs(), content_spectrum.angle())
        if self.beta < 0.5:
            down = torch.fft.fftfreq(size[0], device=content.device).abs()
            across = torch.fft.rfftfreq(size[1], device=content.device)
            low = (down[:, None] <= self.beta) & (across <= self.beta)
            swapped = torch.where(low, swapped, content_spectrum)
        return interpolate(content, torch.fft.irfft2(swapped, size), strength)
