"""The centre of an image, magnified bilinearly with corners on corners.

Source: scipy 1.17 ndimage.zoom with order=1, as hendrycks/robustness 8190fe3 calls it in clipped_zoom.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

Field: TypeAlias = Float[Tensor, "batch height width channels"]


def centre_zoomed(field: Field, factor: float) -> Float[Tensor, "batch tall wide channels"]:
    """The middle 1 / `factor` of the image at its old size or a few pixels off, of the same dtype."""
    height, width = field.shape[1:3]
    tall, wide = math.ceil(height / factor), math.ceil(width / factor)
    top, left = (height - tall) // 2, (width - wide) // 2
    inner = field[:, top : top + tall, left : left + wide].double()
    upper, lower, down = _places(tall, zoomed_length(height, factor), field.device)
    near, far, across = _places(wide, zoomed_length(width, factor), field.device)
    up, back = (1.0 - down)[:, None, None], (1.0 - across)[:, None]
    down, across = down[:, None, None], across[:, None]
    total = inner[:, upper][:, :, near].mul_(up).mul_(back)
    total += inner[:, upper][:, :, far].mul_(up).mul_(across)
    total += inner[:, lower][:, :, near].mul_(down).mul_(back)
    total += inner[:, lower][:, :, far].mul_(down).mul_(across)
    return total.to(field.dtype)


def zoomed_length(length: int, factor: float) -> int:
    """What becomes of a length."""
    return round(math.ceil(length / factor) * factor)


def _places(old: int, new: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Of each new coordinate the old ones beside it, and how far it is from the first."""
    where = torch.arange(new, device=device).double() * ((old - 1) / (new - 1) if new > 1 else 0.0)
    first = where.floor().long().clamp_(0, old - 1)
    return first, (first + 1).clamp_(max=old - 1), where - first
