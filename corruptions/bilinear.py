"""Bilinear interpolation at arbitrary coordinates, in the precision of the image; beyond the edges lies black."""

from __future__ import annotations

import torch
import torch.nn.functional as functional
from jaxtyping import Float, Float64
from torch import Tensor

Image = Float[Tensor, "batch height width 3"]
Coordinates = Float64[Tensor, "batch #height #width"]


def interpolated(image: Image, rows: Coordinates, columns: Coordinates) -> Image:
    """Interpolate along columns first, then along rows.

    Args:
        image: Images, channels last, of any floating dtype.
        rows: Row coordinate of every output pixel; it broadcasts with `columns`.
        columns: Column coordinate of every output pixel.

    Returns:
        Interpolated images in the dtype of `image`.
    """
    count, height, width, _ = image.shape
    framed = functional.pad(image, (0, 0, 1, 1, 1, 1)).flatten(0, 2)
    start = torch.arange(count, device=image.device)[:, None, None] * (height + 2)
    upper, left = rows.floor(), columns.floor()
    left_weight, right_weight = 1.0 - columns + left, 1.0 - (left + 1) + columns
    upper_weight, lower_weight = 1.0 - rows + upper, 1.0 - (upper + 1) + rows

    def line(row: Tensor) -> Tensor:
        first = (start + (row + 1).clamp(0, height + 1).long()) * (width + 2)
        near, far = (first + (column + 1).clamp(0, width + 1).long() for column in (left, left + 1))
        left_values, right_values = _gathered(framed, near), _gathered(framed, far)
        return left_values * _weight(left_weight, image) + right_values * _weight(right_weight, image)

    return line(upper) * _weight(upper_weight, image) + line(upper + 1) * _weight(lower_weight, image)


def _gathered(flat: Float[Tensor, "pixels 3"], index: Tensor) -> Image:
    return flat.index_select(0, index.flatten()).view(*index.shape, -1)


def _weight(weight: Coordinates, image: Image) -> Tensor:
    return weight[..., None].to(image.dtype)
