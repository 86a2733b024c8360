"""The round trip through a JPEG file without the file: all loss happens before the entropy coding.

Source: libjpeg-turbo 3 as Pillow calls it: colour at half resolution (4:2:0), slow integer transforms, interpolated
colour. The tables are those of ITU-T T.81, annex K.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Int32
from torch import Tensor
from torch.nn.functional import pad

from robustbench_eff.core.types import Pixels

from . import dct

SIDE, GREY = 8, 128
EXTRA = 2
"""Fractional bits between the two passes of a transform."""
LUMA = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
CHROMA = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8 for _ in range(4)),
)

Plane = Int32[Tensor, "batch tall wide"]


def roundtrip(pixels: Pixels, quality: int) -> Pixels:
    """Return images as decoded from JPEG files.

    Args:
        pixels: Images to encode.
        quality: 1 to 100.
    """
    height, width = pixels.shape[1:3]
    rows, columns = -(-height // 2), -(-width // 2)
    luma, blue, red = _converted(pixels)
    luma = _coded(_filled(luma, SIDE, SIDE), steps(LUMA, quality))[:, :height, :width]
    colours = []
    for plane in (blue, red):
        half = _filled(_halved(_filled(plane, 2, 2 * SIDE)), SIDE, SIDE)
        coded = _coded(half, steps(CHROMA, quality))[:, :rows, :columns]
        colours.append(_doubled(coded)[:, :height, :width] - GREY)
    return _rendered(luma, *colours)


def through_compiled(pixels: Pixels, quality: int) -> Pixels:
    """Return the same as `roundtrip`, by compiled loops.

    Args:
        pixels: Images to encode, on the CPU.
        quality: 1 to 100.
    """
    from .compiled import jit, jpeg

    return jit.apply_loop(jpeg.round_trip, pixels, *(_dividers(steps(table, quality)) for table in (LUMA, CHROMA)))


def steps(table: tuple[tuple[int, ...], ...], quality: int) -> npt.NDArray[np.int32]:
    """Return the quantiser's step for every coefficient of a block, row by row.

    Args:
        table: Steps at quality 50.
        quality: 1 to 100.
    """
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    scaled: npt.NDArray[np.int32] = np.clip((np.array(table, dtype=np.int32) * percent + 50) // 100, 1, 255)
    return scaled


class _YCbCr(NamedTuple):
    luma: Plane
    blue: Plane
    red: Plane


class _Divider(NamedTuple):
    """quotient = (value + summand) * factor >> shift."""

    factor: int
    summand: int
    shift: int


def _converted(pixels: Pixels) -> _YCbCr:
    r, g, b = pixels.int().unbind(-1)
    middle = (GREY << 16) + 32767
    luma = (19595 * r + 38470 * g + 7471 * b + 32768) >> 16
    blue = (-11059 * r - 21709 * g + 32768 * b + middle) >> 16
    red = (32768 * r - 27439 * g - 5329 * b + middle) >> 16
    return _YCbCr(luma, blue, red)


def _filled(plane: Plane, tall: int, wide: int) -> Plane:
    """Padded with copies of the last row and column to multiples of `tall` and `wide`."""
    down, across = -plane.shape[1] % tall, -plane.shape[2] % wide
    taller = torch.cat((plane, plane[:, -1:].expand(-1, down, -1)), 1)
    return torch.cat((taller, taller[:, :, -1:].expand(-1, -1, across)), 2)


def _halved(plane: Plane) -> Plane:
    """Means of 2 x 2 pixels, rounded down and up alternately."""
    total = plane[:, ::2, ::2] + plane[:, ::2, 1::2] + plane[:, 1::2, ::2] + plane[:, 1::2, 1::2]
    return (total + 1 + torch.arange(total.shape[2], device=plane.device, dtype=torch.int32) % 2) >> 2


def _coded(plane: Plane, step: npt.NDArray[np.int32]) -> Plane:
    """Transformed, quantised and transformed back."""
    count, tall, wide = plane.shape
    blocks = (plane - GREY).view(count, tall // SIDE, SIDE, wide // SIDE, SIDE)
    for dim, shift in ((4, dct.BITS - EXTRA), (2, dct.BITS + EXTRA)):
        blocks = torch.stack([_descaled(values, shift) for values in dct.forward(*blocks.unbind(dim))], dim)
    steps_of_block = torch.from_numpy(step).to(plane.device).view(SIDE, 1, SIDE)
    sizes = (blocks.abs() + 4 * steps_of_block).div(8 * steps_of_block, rounding_mode="floor")
    sizes *= steps_of_block  # amplitudes are scaled by 8
    blocks = torch.where(blocks < 0, -sizes, sizes)
    for dim, shift in ((2, dct.BITS - EXTRA), (4, dct.BITS + EXTRA + 3)):
        blocks = torch.stack([_descaled(values, shift) for values in dct.inverse(*blocks.unbind(dim))], dim)
    return (blocks + GREY).clamp_(0, 255).reshape(count, tall, wide)


def _descaled(values: Tensor, shift: int) -> Tensor:
    return (values + (1 << (shift - 1))) >> shift


def _doubled(plane: Plane) -> Plane:
    """Interpolated between the four nearest pixels; planes of at most two columns are repeated instead."""
    if plane.shape[2] <= 2:
        return plane.repeat_interleave(2, 1).repeat_interleave(2, 2)
    framed = pad(plane[:, None].float(), (1, 1, 1, 1), mode="replicate")[:, 0].int()
    rows = torch.stack((3 * framed[:, 1:-1] + framed[:, :-2], 3 * framed[:, 1:-1] + framed[:, 2:]), 2).flatten(1, 2)
    middle = 3 * rows[:, :, 1:-1]
    return torch.stack(((middle + rows[:, :, :-2] + 8) >> 4, (middle + rows[:, :, 2:] + 7) >> 4), 3).flatten(2, 3)


def _rendered(luma: Plane, blue: Plane, red: Plane) -> Pixels:
    channels = (
        luma + ((91881 * red + 32768) >> 16),
        luma + ((-22554 * blue - 46802 * red + 32768) >> 16),
        luma + ((116130 * blue + 32768) >> 16),
    )
    return torch.stack(channels, -1).clamp_(0, 255).to(torch.uint8)


def _dividers(step: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Factor, summand and shift that divide by eight steps and round, followed by the step itself: (4, 64).

    Source: Granlund & Montgomery 1994 (PLDI), for 16 bits.
    """
    rows = [(*_divider(8 * int(size)), int(size)) for size in step.flatten()]
    return np.array(rows, dtype=np.int32).T.copy()


@cache
def _divider(divisor: int) -> _Divider:
    shift = 15 + divisor.bit_length()
    factor, remainder = divmod(1 << shift, divisor)
    if remainder == 0:
        return _Divider(factor, divisor // 2, shift)
    if remainder <= divisor // 2:
        return _Divider(factor, divisor // 2 + 1, shift)
    return _Divider(factor + 1, divisor // 2, shift)
