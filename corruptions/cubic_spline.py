"""Cubic B-splines that interpolate pixels, or smooth them.

Source: scipy 1.5 ndimage, with order=3 and mode="constant": beyond the edges the spline continues as its mirror image,
without a second copy of the last pixel, but it is not evaluated there.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

TAPS = 4
Image = Float64[Tensor, "batch height width channels"]


class Taps(NamedTuple):
    """The coefficients of a line that a value is made of."""

    indices: Int64[Tensor, "*points TAPS"]
    weights: Float64[Tensor, "*points TAPS"]


def coefficients(image: Image) -> Image:
    """Return the coefficients of the spline that interpolates the pixels.

    The pixels themselves, taken as coefficients, give a smoother spline.

    Args:
        image: Images, channels last.
    """
    for dim in (1, 2):
        inverse = torch.linalg.inv(_smoothing(image.shape[dim], image.device))
        image = torch.tensordot(inverse, image, ([1], [dim])).movedim(0, dim)
    return image


def _smoothing(length: int, device: torch.device) -> Float64[Tensor, "length length"]:
    """The matrix from the coefficients along a line to the values at whole coordinates."""
    coordinate = torch.arange(length, dtype=torch.float64, device=device)
    index, weights = taps(coordinate, length)
    return torch.zeros(length, length, dtype=torch.float64, device=device).scatter_add_(1, index, weights)


def taps(coordinate: Float64[Tensor, "*points"], length: int) -> Taps:
    """Return the coefficients that the values of a spline at some points are made of.

    Args:
        coordinate: Points on the line, in pixels.
        length: Number of coefficients of the line.
    """
    first = coordinate.floor()
    index = first.long()[..., None] + torch.arange(-1, TAPS - 1, device=coordinate.device)
    period = max(1, 2 * length - 2)
    index = index.remainder(period)
    behind = coordinate - first
    ahead = 1.0 - behind
    second = (behind * behind * (behind - 2.0) * 3.0 + 4.0) / 6.0
    third = (ahead * ahead * (ahead - 2.0) * 3.0 + 4.0) / 6.0
    outer = ahead * ahead * ahead / 6.0
    weights = torch.stack((outer, second, third, 1.0 - outer - second - third), -1)
    return Taps(torch.minimum(index, period - index), weights)
