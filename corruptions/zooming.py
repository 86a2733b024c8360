"""The centre of an image, magnified bilinearly with aligned corners.

Source: scipy 1.17 ndimage.zoom with order=1, as hendrycks/robustness 8190fe3 calls it in clipped_zoom.
"""

from __future__ import annotations

import math
from typing import NamedTuple, TypeAlias

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

Field: TypeAlias = Float[Tensor, "batch height width channels"]


def centre_zoomed(field: Field, factor: float) -> Float[Tensor, "batch tall wide channels"]:
    """Magnify the central 1 / `factor` of images.

    Args:
        field: Images, channels last, of any floating dtype.
        factor: Magnification, at least 1.

    Returns:
        Images of about the original size, see `zoomed_length`, in the same dtype.
    """
    height, width = field.shape[1:3]
    tall, wide = math.ceil(height / factor), math.ceil(width / factor)
    top, left = (height - tall) // 2, (width - wide) // 2
    inner = field[:, top : top + tall, left : left + wide].double()
    upper, lower, down = _neighbours(tall, zoomed_length(height, factor), field.device)
    near, far, across = _neighbours(wide, zoomed_length(width, factor), field.device)
    up, back = (1.0 - down)[:, None, None], (1.0 - across)[:, None]
    down, across = down[:, None, None], across[:, None]
    total = inner[:, upper][:, :, near].mul_(up).mul_(back)
    total += inner[:, upper][:, :, far].mul_(up).mul_(across)
    total += inner[:, lower][:, :, near].mul_(down).mul_(back)
    total += inner[:, lower][:, :, far].mul_(down).mul_(across)
    return total.to(field.dtype)


def zoomed_length(length: int, factor: float) -> int:
    """Return the length of a magnified side, which may differ from the original one by a few pixels.

    Args:
        length: Original length in pixels.
        factor: Magnification.
    """
    return round(math.ceil(length / factor) * factor)


class _Neighbours(NamedTuple):
    """The two old pixels around each new coordinate."""

    lower: Int64[Tensor, new]
    upper: Int64[Tensor, new]
    fraction: Float64[Tensor, new]
    """Distance of the coordinate from the lower pixel."""


def _neighbours(old: int, new: int, device: torch.device) -> _Neighbours:
    position = torch.arange(new, device=device).double() * ((old - 1) / (new - 1) if new > 1 else 0.0)
    lower = position.floor().long().clamp_(0, old - 1)
    return _Neighbours(lower, (lower + 1).clamp_(max=old - 1), position - lower)
