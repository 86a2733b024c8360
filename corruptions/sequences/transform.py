"""Affine transforms of pictures as in Pillow: bilinear and truncated, black beyond the edges.

Source: Pillow 13, Image.transform with AFFINE and BILINEAR; the maps are those of torchvision 0.2's affine, which
rotates about a point half a pixel right of and below the centre.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float64
from torch import Tensor

from robustbench_eff.core.center_crop import crop_corner
from robustbench_eff.core.types import Pixels, RawImage

from ..random import can_compile

Maps = Float64[Tensor, "frames 2 3"]
"""Maps from (x, y, 1) of a frame to the picture, in pixels."""


def affine_map(picture: RawImage, *, degrees: float = 0.0, scale: float = 1.0, shear: float = 0.0) -> list[list[float]]:
    """Return the inverse map that rotates, magnifies and shears a picture about its centre.

    Args:
        picture: Picture, of which only the size counts.
        degrees: Clockwise rotation in degrees.
        scale: Magnification.
        shear: Shear angle in degrees.

    Returns:
        The two rows of the map from output to input pixels.
    """
    across, down = (side * 0.5 + 0.5 for side in (picture.shape[1], picture.shape[0]))
    turn, lean = math.radians(degrees), math.radians(degrees + shear)
    area = math.cos(lean) * math.cos(turn) + math.sin(lean) * math.sin(turn)
    factor = 1.0 / scale / area
    rows = [[math.cos(lean) * factor, math.sin(lean) * factor], [-math.sin(turn) * factor, math.cos(turn) * factor]]
    return [[x, y, -x * across - y * down + centre] for (x, y), centre in zip(rows, (across, down), strict=True)]


def warp_affine(picture: RawImage, maps: list[list[list[float]]], size: int) -> Pixels:
    """Return one frame per map: the centre of the transformed picture.

    Args:
        picture: Picture; beyond it lies black.
        maps: Inverse maps as from `affine_map`.
        size: Side of a frame in pixels.
    """
    inverse = torch.tensor(maps, dtype=torch.float64, device=picture.device)
    if picture.device.type == "cpu" and can_compile():
        from ..compiled import jit, views

        return jit.apply_frame_loop(views.affine, inverse, picture, size)
    return _warp_affine(picture, inverse, size)


def _warp_affine(picture: RawImage, maps: Maps, size: int) -> Pixels:
    height, width = picture.shape[:2]
    top, left = crop_corner(height, width, size)
    x = torch.arange(size, device=picture.device).double() + (left + 0.5)
    y = (torch.arange(size, device=picture.device).double() + (top + 0.5))[:, None]
    columns, rows = (
        (row[:, 0, None, None] * x + row[:, 1, None, None] * y) + row[:, 2, None, None] for row in maps.unbind(1)
    )
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    columns, rows = columns - 0.5, rows - 0.5
    left_of, above = columns.floor(), rows.floor()
    across, down = (columns - left_of)[..., None], (rows - above)[..., None]
    near, far = (left_of.long().clamp(0, width - 1), (left_of.long() + 1).clamp(0, width - 1))
    flat = picture.flatten(0, 1)

    def line(row: Tensor) -> Tensor:
        start = row.long().clamp(0, height - 1) * width
        first, second = (flat[start + column].double() for column in (near, far))
        return first + (second - first) * across

    upper = line(above)
    value = upper + (line(above + 1) - upper) * down
    return (value * inside[..., None]).to(torch.uint8)
