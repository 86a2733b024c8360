"""Pictures under homographies as in OpenCV before version 5: bilinear, in steps of 1/32 pixel.

Source: OpenCV 4, warpPerspective with INTER_LINEAR and a black BORDER_CONSTANT.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from robustbench_eff.core.center_crop import crop_corner
from robustbench_eff.core.types import Pixels, RawImage

from ..affine import STEP_BITS
from ..random import can_compile

Homography = npt.NDArray[np.float64]
STEPS = 1 << STEP_BITS


def warp_perspective(picture: RawImage, homographies: Sequence[Homography], size: int) -> Pixels:
    """Return one frame per homography: the centre of the transformed picture.

    Args:
        picture: Picture; beyond it lies black.
        homographies: Matrices (3, 3) from input to output pixels.
        size: Side of a frame in pixels.
    """
    inverse = torch.from_numpy(np.stack([np.linalg.inv(matrix) for matrix in homographies])).to(picture.device)
    if picture.device.type == "cpu" and can_compile():
        from ..compiled import jit, views

        return jit.apply_frame_loop(views.perspective, inverse, picture, size, STEP_BITS)
    return _warp_perspective(picture, inverse, size)


def _warp_perspective(picture: RawImage, inverse: Tensor, size: int) -> Pixels:
    height, width = picture.shape[:2]
    top, left = crop_corner(height, width, size)
    x = torch.arange(left, left + size, device=picture.device).double()
    y = torch.arange(top, top + size, device=picture.device).double()[:, None]
    across, down, depth = (
        row[:, 0, None, None] * x + (row[:, 1, None, None] * y + row[:, 2, None, None]) for row in inverse.unbind(1)
    )
    nearness = torch.where(depth == 0, 0.0, STEPS / depth)
    column, row = (across * nearness).round().long(), (down * nearness).round().long()
    beyond, below = column & (STEPS - 1), row & (STEPS - 1)
    column, row = column >> STEP_BITS, row >> STEP_BITS
    flat = picture.flatten(0, 1).int()
    total = torch.full((*column.shape, 3), STEPS * STEPS // 2, dtype=torch.int32, device=picture.device)
    for rows, down_weight in ((row, STEPS - below), (row + 1, below)):
        for columns, across_weight in ((column, STEPS - beyond), (column + 1, beyond)):
            inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
            index = rows.clamp(0, height - 1) * width + columns.clamp(0, width - 1)
            total += flat[index] * (down_weight * across_weight * inside).int()[..., None]
    return (total >> (2 * STEP_BITS)).to(torch.uint8)
