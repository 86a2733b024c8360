"""Coordinates of pixels, and parameters of images in a shape that broadcasts with them."""

from __future__ import annotations

import torch
from jaxtyping import Float64, Shaped
from torch import Tensor

from robustbench_eff.core.types import Pixels

Rows = Float64[Tensor, "height 1"]
Columns = Float64[Tensor, "width"]
Plane = Float64[Tensor, "batch height width"]


def coordinates(pixels: Pixels) -> tuple[Rows, Columns]:
    """Return the row and column indices of the pixels, which broadcast to a plane.

    Args:
        pixels: Images, of which only the shape and the device count.
    """
    height, width = pixels.shape[1:3]
    rows = torch.arange(height, dtype=torch.float64, device=pixels.device)
    columns = torch.arange(width, dtype=torch.float64, device=pixels.device)
    return rows[:, None], columns


def per_image(parameter: Shaped[Tensor, batch]) -> Float64[Tensor, "batch 1 1"]:
    """Return a parameter in float64 and in a shape that broadcasts with planes.

    Args:
        parameter: One number per image.
    """
    return parameter.double()[:, None, None]
