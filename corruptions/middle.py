"""The middle of a picture, as torchvision crops the centre."""

from __future__ import annotations

from robustbench_eff.types import Picture, Pixels


def middle(pictures: Pixels, size: int) -> Pixels:
    """The middle `size` x `size` pixels."""
    top, left = corner((pictures.shape[1], pictures.shape[2]), size)
    return pictures[:, top : top + size, left : left + size]


def corner(of: tuple[int, int], size: int) -> tuple[int, int]:
    """Top and left of the middle; halves go to the even number."""
    return round((of[0] - size) / 2.0), round((of[1] - size) / 2.0)


def copies(picture: Picture, size: int, count: int) -> Pixels:
    """The middle of the picture, `count` times."""
    return middle(picture[None], size).repeat(count, 1, 1, 1)
