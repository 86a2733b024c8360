"""The image as a plane: coordinates of its pixels, and parameters of whole images beside them."""

from __future__ import annotations

import torch
from jaxtyping import Float64, Shaped
from torch import Tensor

from robustbench_eff.core.types import Pixels

Rows = Float64[Tensor, "height 1"]
Columns = Float64[Tensor, "width"]
Plane = Float64[Tensor, "batch height width"]


def coordinates(pixels: Pixels) -> tuple[Rows, Columns]:
    """Numbers of the rows and of the columns, from 0; the two broadcast to a plane."""
    height, width = pixels.shape[1:3]
    rows = torch.arange(height, dtype=torch.float64, device=pixels.device)
    columns = torch.arange(width, dtype=torch.float64, device=pixels.device)
    return rows[:, None], columns


def per_image(parameter: Shaped[Tensor, batch]) -> Float64[Tensor, "batch 1 1"]:
    """One number for each image, in float64, to stand beside planes."""
    return parameter.double()[:, None, None]
