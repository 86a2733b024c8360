"""The middle of a picture, as torchvision crops the centre."""

from __future__ import annotations

from typing import TypeAlias

from jaxtyping import UInt8
from torch import Tensor

from robustbench_eff.core.types import Pixels, RawImage

Middles: TypeAlias = UInt8[Tensor, "frames side side 3"]


def middle(pictures: Pixels, size: int) -> Middles:
    """The middle `size` x `size` pixels."""
    top, left = corner((pictures.shape[1], pictures.shape[2]), size)
    return pictures[:, top : top + size, left : left + size]


def corner(of: tuple[int, int], size: int) -> tuple[int, int]:
    """Top and left of the middle; halves go to the even number."""
    return round((of[0] - size) / 2.0), round((of[1] - size) / 2.0)


def copies(picture: RawImage, size: int, count: int) -> Middles:
    """The middle of the picture, `count` times."""
    return middle(picture[None], size).repeat(count, 1, 1, 1)
