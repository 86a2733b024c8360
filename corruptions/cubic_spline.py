"""Cubic B-splines through pixels, or near them.

Source: scipy 1.5 ndimage, with order=3 and mode="constant": beyond the edges the spline goes on as its mirror image,
without its last pixel twice, but is not looked at there.
"""

from __future__ import annotations

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

TAPS = 4
Image = Float64[Tensor, "batch height width channels"]
Taps = tuple[Int64[Tensor, "*places TAPS"], Float64[Tensor, "*places TAPS"]]
"""Which coefficients of a line a value is made of, and their weights."""


def coefficients(image: Image) -> Image:
    """Those of the spline that goes through the pixels; the pixels themselves are those of a smoother one."""
    for dim in (1, 2):
        inverse = torch.linalg.inv(_smoothing(image.shape[dim], image.device))
        image = torch.tensordot(inverse, image, ([1], [dim])).movedim(0, dim)
    return image


def _smoothing(length: int, device: torch.device) -> Float64[Tensor, "length length"]:
    """What a spline's coefficients along a line have to do with its values at whole numbers."""
    place = torch.arange(length, dtype=torch.float64, device=device)
    index, weights = taps(place, length)
    return torch.zeros(length, length, dtype=torch.float64, device=device).scatter_add_(1, index, weights)


def taps(where: Float64[Tensor, "*places"], length: int) -> Taps:
    """For the values of a spline, on a line of `length`, at these places."""
    first = where.floor()
    index = first.long()[..., None] + torch.arange(-1, TAPS - 1, device=where.device)
    period = max(1, 2 * length - 2)
    index = index.remainder(period)
    behind = where - first
    ahead = 1.0 - behind
    second = (behind * behind * (behind - 2.0) * 3.0 + 4.0) / 6.0
    third = (ahead * ahead * (ahead - 2.0) * 3.0 + 4.0) / 6.0
    outer = ahead * ahead * ahead / 6.0
    weights = torch.stack((outer, second, third, 1.0 - outer - second - third), -1)
    return torch.minimum(index, period - index), weights
