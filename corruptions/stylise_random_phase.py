"""Random-phase texture: replaces the fine structure of the content by a texture with the style's spectrum."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Complex64, Float
from torch import Tensor

from robustbench_eff.core.errors import SpecError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Images

from .random import normals
from .stylise import FLAT, check, deviation, interpolate, low_pass

Spectra = Complex64[Tensor, "batch channel height half"]
LEAST = 1.3
"""Smallest standard deviation of the low-pass, in pixels; below it almost no fine structure would remain."""
ENVELOPE = 2.0
"""Standard deviation of the filter that averages the content's contrast, relative to that of the low-pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomPhase:
    """Adds to the content's low frequencies a texture of the style's high ones that follows the content's contrast.

    The texture has the amplitudes of the style with random phases, the same for all channels, so that it keeps the
    style's colours and its stationary structure (fabric, bark, grating), but none of its shapes.

    Source: Galerne, Gousseau & Morel 2011, "Random phase textures: theory and synthesis" (IEEE TIP 20); borders by
    Moisan 2011, "Periodic plus smooth image decomposition" (JMIV 39).
    Differs: only high frequencies are used, and their contrast is the content's; both are our own additions.
    """

    scale: float = 0.02
    """Standard deviation of the low-pass, relative to the shorter side of the image; at least 1.3 pixels are used."""

    def __post_init__(self) -> None:
        if not 0 < self.scale <= 0.25:
            raise SpecError(f"scale must be above 0 and at most 0.25 sides of the image, got {self.scale}.")

    @property
    def stochastic(self) -> bool:
        """True if the images depend on the draws."""
        return True

    def __call__(
        self, content: Images, style: Images, strength: float = 1.0, draws: RandomStreams | None = None
    ) -> Images:
        """Give the content the texture of the style. See `Styliser`."""
        check(content, style, strength)
        if not len(content):
            return content.clone()
        sigma = max(LEAST, self.scale * min(content.shape[2:]))
        smooth = low_pass(content, sigma)
        contrast = low_pass((content - smooth).square().mean(1, keepdim=True), ENVELOPE * sigma).clamp_min(0).sqrt()
        streams = RandomStreams.given(draws, content)
        noise = normals(streams, tuple(content.shape[2:]), "random_phase").to(content.device)
        texture = _texture(style, noise, sigma)
        return interpolate(content, smooth + contrast * texture, strength)


def _texture(style: Images, noise: Float[Tensor, "batch height width"], sigma: float) -> Images:
    """High frequencies of the style plus the phases of the noise, with standard deviation 1 over all channels."""
    size = (style.shape[-2], style.shape[-1])
    phases = torch.fft.rfft2(noise)
    shifted = _periodic(style) * (phases / phases.abs().clamp_min(FLAT))[:, None]
    down, across = _frequencies(size, style.device)
    high_pass = 1 - torch.exp(-2 * (torch.pi * sigma) ** 2 * (down**2 + across**2))
    texture: Tensor = torch.fft.irfft2(shifted * high_pass, size)
    return texture / deviation(texture, (1, 2, 3))


def _periodic(images: Images) -> Spectra:
    """The spectrum without the discontinuities between opposite borders."""
    jumps = torch.zeros_like(images)
    rows, columns = images[..., -1, :] - images[..., 0, :], images[..., -1] - images[..., 0]
    jumps[..., 0, :] += rows
    jumps[..., -1, :] -= rows
    jumps[..., 0] += columns
    jumps[..., -1] -= columns
    down, across = _frequencies((images.shape[-2], images.shape[-1]), images.device)
    curvature = 2 * torch.cos(2 * torch.pi * down) + 2 * torch.cos(2 * torch.pi * across) - 4
    curvature[0, 0] = 1  # the jumps sum to zero
    periodic: Tensor = torch.fft.rfft2(images) - torch.fft.rfft2(jumps) / curvature
    return periodic


def _frequencies(size: tuple[int, int], device: torch.device) -> tuple[Tensor, Tensor]:
    """Vertical and horizontal frequencies in cycles per pixel, which broadcast to half a spectrum."""
    return torch.fft.fftfreq(size[0], device=device)[:, None], torch.fft.rfftfreq(size[1], device=device)
