"""What a styliser is: it gives a content image the texture, or the colours, of a style image."""

from __future__ import annotations

from typing import Protocol, TypeAlias, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from robustbench_eff.core.errors import DataError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Images

from .gaussian_filter import matrix, taps

PerImage: TypeAlias = Float[Tensor, "batch #channel #height #width"]
"""One number for each image, or for each of its channels, beside images."""
FLAT = 1e-6
"""Below such a deviation there is nothing to be scaled."""


@runtime_checkable
class Styliser(Protocol):
    """A frozen dataclass; its fields are its hyper-parameters."""

    @property
    def stochastic(self) -> bool:
        """Whether the images depend on the draws."""

    def __call__(
        self, content: Images, style: Images, strength: float = 1.0, draws: RandomStreams | None = None
    ) -> Images:
        """`content` in the style of `style`, image by image: float32 (N, 3, H, W) in [0, 1], as both must be.

        `strength` from 0 to 1 says how much of it. `draws` key what is random; without them the images' positions and
        seed 0 do. Raises DataError for images of another dtype, shape or range, and for another strength.
        """


def check(content: Images, style: Images, strength: float) -> None:
    """DataError for what a styliser cannot take."""
    for name, images in (("Content", content), ("Style", style)):
        if images.dtype != torch.float32 or images.ndim != 4 or images.shape[1] != 3:
            raise DataError(
                f"{name} images must be float32 of shape (N, 3, H, W), got {images.dtype} {tuple(images.shape)}."
            )
        if images.numel() and not (images.amin() >= 0 and images.amax() <= 1):
            raise DataError(
                f"{name} images must be in [0, 1], got {images.amin():.3g} to {images.amax():.3g}.",
                "Divide 8-bit levels by 255, and normalise afterwards.",
            )
    if content.shape != style.shape:
        raise DataError(
            f"Every content image needs a style image of its size, got {tuple(content.shape)} and {tuple(style.shape)}."
        )
    if not 0 <= strength <= 1:
        raise DataError(f"strength must be from 0 to 1, got {strength}.")


def interpolate(content: Images, changed: Images, strength: float) -> Images:
    """So far from one to the other, clipped to [0, 1]."""
    return torch.lerp(content, changed, strength).clamp_(0, 1)


def low_pass(images: Images, sigma: float) -> Images:
    """Gaussian filter with `sigma` in pixels; beyond the edges lies the mirror image."""
    down, across = (matrix(taps(sigma), side, "reflect").to(images) for side in (images.shape[-2], images.shape[-1]))
    smooth: Tensor = down @ images @ across.T
    return smooth


def deviation(images: Images, dim: tuple[int, ...]) -> PerImage:
    """Standard deviation over `dim`, never zero."""
    centred = images - images.mean(dim, keepdim=True)
    return centred.square().mean(dim, keepdim=True).sqrt().clamp_min(FLAT)
