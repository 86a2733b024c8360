"""Tilt: the view moves from one side of the picture over the front to the other side.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261; constants as in hendrycks/robustness 8190fe3.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels, RawImage

from ..sequence import SequenceKernel
from .perspective import warp_perspective


def _film(picture: RawImage, size: int, step: float, draws: RandomStreams) -> Pixels:
    half = (len(draws) - 1) // 2
    angles = [np.deg2rad(step * (frame - half)) for frame in range(len(draws))]
    return warp_perspective(picture, [_tilted(picture, angle) for angle in angles], size)


def _tilted(picture: RawImage, angle: float) -> npt.NDArray[np.float64]:
    """The homography of a picture rotated by `angle` about both axes, seen from the distance of its diagonal."""
    height, width = picture.shape[:2]
    distance, (sine, cosine) = np.sqrt(width**2 + height**2), (np.sin(angle), np.cos(angle))
    to_space = np.array([[1, 0, -width / 2], [0, 1, -height / 2], [0, 0, 1], [0, 0, 1]])
    about_x = np.array([[1, 0, 0, 0], [0, cosine, -sine, 0], [0, sine, cosine, 0], [0, 0, 0, 1]])
    about_y = np.array([[cosine, 0, -sine, 0], [0, 1, 0, 0], [sine, 0, cosine, 0], [0, 0, 0, 1]])
    away = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, distance], [0, 0, 0, 1]])
    to_plane = np.array([[distance, 0, width / 2, 0], [0, distance, height / 2, 0], [0, 0, 1, 0]])
    homography: npt.NDArray[np.float64] = to_plane @ away @ about_x @ about_y @ to_space
    return homography


TILT = SequenceKernel(
    name="tilt_sequence",
    difficulties={"imagenet": (1.0,), "cifar10": (0.75,)},
    frames={"imagenet": 31, "cifar10": 31},
    film=_film,
)
