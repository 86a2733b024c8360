"""Stylisers give a content image the texture, or the colours, of a style image."""

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
"""One number per image, or per channel, in a shape that broadcasts with images."""
FLAT = 1e-6
"""Lower bound of standard deviations that divide."""


@runtime_checkable
class Styliser(Protocol):
    """A frozen dataclass that stylises images; its fields are its hyper-parameters."""

    @property
    def stochastic(self) -> bool:
        """True if the images depend on the draws."""

    def __call__(
        self, content: Images, style: Images, strength: float = 1.0, draws: RandomStreams | None = None
    ) -> Images:
        """Give every content image the style of its style image.

        Args:
            content: float32 images in [0, 1] with three channels.
            style: Style images of the same shape and range.
            strength: Amount of style, from 0 to 1.
            draws: Random streams, one per image; by default those of the positions in the batch at seed 0.

        Returns:
            float32 images in [0, 1] of the same shape.

        Raises:
            DataError: Dtype, shape or range of the images, or the strength, is not as required.
        """


def check(content: Images, style: Images, strength: float) -> None:
    """Check the arguments of a styliser.

    Args:
        content: Content images.
        style: Style images.
        strength: Amount of style.

    Raises:
        DataError: Images are not float32 (N, 3, H, W) in [0, 1], shapes differ, or the strength is not in [0, 1].
    """
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
    """Return the linear interpolation between two images, clipped to [0, 1].

    Args:
        content: Images at strength 0.
        changed: Images at strength 1.
        strength: From 0 to 1.
    """
    return torch.lerp(content, changed, strength).clamp_(0, 1)


def low_pass(images: Images, sigma: float) -> Images:
    """Apply a Gaussian filter; beyond the edges lies the mirror image.

    Args:
        images: Images, channels first.
        sigma: Standard deviation in pixels.
    """
    down, across = (matrix(taps(sigma), side, "reflect").to(images) for side in (images.shape[-2], images.shape[-1]))
    smooth: Tensor = down @ images @ across.T
    return smooth


def deviation(images: Images, dim: tuple[int, ...]) -> PerImage:
    """Return the standard deviation, at least 1e-6.

    Args:
        images: Images, channels first.
        dim: Dimensions to reduce; they keep length 1.
    """
    centred = images - images.mean(dim, keepdim=True)
    return centred.square().mean(dim, keepdim=True).sqrt().clamp_min(FLAT)
