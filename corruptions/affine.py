"""Affine warps of images as OpenCV before version 5: bilinear, in steps of 1/32 pixel.

Source: OpenCV 4, getAffineTransform and warpAffine with INTER_LINEAR and BORDER_REFLECT_101.
"""

from __future__ import annotations

import torch
from jaxtyping import Float32, Float64
from torch import Tensor

FINE_BITS, STEP_BITS = 10, 5
"""Coordinates are computed in units of 1/1024 pixel and used in units of 1/32."""

Maps = Float64[Tensor, "batch 2 3"]
"""(x, y) = map @ (x, y, 1), in pixels."""


def affine_maps(offsets: Float32[Tensor, "batch 3 2"], size: tuple[int, int]) -> Maps:
    """Return the maps that move three corners of a square in the middle of the image.

    Args:
        offsets: Offset (x, y) of each corner, in pixels.
        size: Height and width of the image.

    Returns:
        Forward maps, in pixels.
    """
    third = min(size) // 3
    middle = torch.tensor([side // 2 for side in size], dtype=torch.float32, device=offsets.device)
    signs = torch.tensor([[1, 1], [1, -1], [-1, -1]], dtype=torch.float32, device=offsets.device)
    corners = middle + third * signs
    ones = torch.ones(3, 1, dtype=torch.float64, device=offsets.device)
    source = torch.cat((corners.double(), ones), 1)
    maps: Tensor = torch.linalg.solve(source.expand(len(offsets), 3, 3), (corners + offsets).double())
    return maps.mT.contiguous()


def warped(image: Float32[Tensor, "batch height width 3"], maps: Maps) -> Float32[Tensor, "batch height width 3"]:
    """Warp images; beyond their edges lies the mirror image, without a second copy of the last pixel.

    Args:
        image: Images, channels last.
        maps: Forward maps, one per image.

    Returns:
        Warped images of the same shape.
    """
    count, height, width, _ = image.shape
    inverse = inverse_maps(maps)
    x, y = torch.arange(width, device=image.device), torch.arange(height, device=image.device)
    half = 1 << (FINE_BITS - STEP_BITS - 1)

    def steps(row: Tensor) -> Tensor:
        across = (row[:, 0, None] * x).round().long()
        down = (row[:, 1, None] * y + row[:, 2, None]).round().long() + half
        return (down[:, :, None] + across[:, None, :]) >> (FINE_BITS - STEP_BITS)

    column, row = steps(inverse[:, 0]), steps(inverse[:, 1])
    fine = (1 << STEP_BITS) - 1
    beyond, below = ((value & fine).float()[..., None] / (fine + 1) for value in (column, row))
    image_index = torch.arange(count, device=image.device)[:, None, None]
    total = torch.zeros_like(image)
    for one_down, down_weight in ((0, 1 - below), (1, below)):
        for one_across, across_weight in ((0, 1 - beyond), (1, beyond)):
            rows = _mirrored((row >> STEP_BITS) + one_down, height)
            columns = _mirrored((column >> STEP_BITS) + one_across, width)
            total += image[image_index, rows, columns] * (down_weight * across_weight)
    return total


def inverse_maps(maps: Maps) -> Maps:
    """Return the maps from output to input pixels.

    Args:
        maps: Forward maps, in pixels.

    Returns:
        Inverse maps, in units of 1/1024 pixel.
    """
    linear, shift = maps[..., :2], maps[..., 2:]
    inverse = torch.linalg.inv(linear)
    return torch.cat((inverse, -inverse @ shift), 2) * (1 << FINE_BITS)


def _mirrored(index: Tensor, length: int) -> Tensor:
    period = max(1, 2 * length - 2)
    index = index.remainder(period)
    return torch.minimum(index, period - index)
