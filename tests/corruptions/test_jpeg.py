"""Our round trip through JPEG files against Pillow's files, byte for byte."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image

from robustbench_eff.corruptions import JPEG_COMPRESSION
from robustbench_eff.corruptions.jpeg import _divider, roundtrip, through_compiled

PROGRAMS = [roundtrip] + ([through_compiled] if importlib.util.find_spec("numba") else [])
QUALITIES = (1, 7, 10, 15, 18, 25, 40, 50, 58, 65, 80, 85, 95, 100)


def pictures(height: int, width: int) -> np.ndarray:
    """A slope, a checkerboard, noise, black and white noise, and one colour."""
    random, (row, column) = np.random.default_rng(height * 1000 + width), np.mgrid[:height, :width]
    slope = np.stack((row * 3 + column, row + 2 * column, 255 - row), -1) % 256
    checks = np.repeat(((row + column) % 2 * 255)[..., None], 3, -1)
    noise = random.integers(0, 256, (height, width, 3))
    poles = random.integers(0, 2, (height, width, 3)) * 255
    return np.stack((slope, checks, noise, poles, np.full_like(noise, 77))).astype(np.uint8)


def by_pillow(images: np.ndarray, quality: int) -> np.ndarray:
    found = []
    for image in images:
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=quality)
        found.append(np.asarray(Image.open(file).convert("RGB")))
    return np.stack(found)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
@pytest.mark.parametrize("size", [(224, 224), (32, 32), (17, 33), (40, 23), (5, 7), (3, 4), (1, 1), (64, 2), (2, 64)])
def test_files_come_back_as_pillows(program: Callable[..., torch.Tensor], size: tuple[int, int]) -> None:
    images = pictures(*size)
    for quality in QUALITIES:
        found = program(torch.from_numpy(images), quality).numpy()
        np.testing.assert_array_equal(found, by_pillow(images, quality), err_msg=f"quality {quality}")


def test_a_file_loses_more_at_less_quality() -> None:
    """A control: the test above would not pass for a program that returns what it gets."""
    images = pictures(64, 64)
    lost = [np.abs(by_pillow(images, quality).astype(int) - images).mean() for quality in (95, 50, 10)]
    assert 0 < lost[0] < lost[1] < lost[2]


def test_every_division_is_exact() -> None:
    numbers = np.arange(2**15)
    for step in range(1, 256):
        factor, summand, shift = _divider(8 * step)
        quotients = ((numbers[: 2**14 + 1] + summand) * factor) >> shift
        np.testing.assert_array_equal(quotients, (numbers[: 2**14 + 1] + 4 * step) // (8 * step))
        assert (2**14 + summand) * factor < 2**31, "whole numbers of 32 bits hold it"


def test_no_images_are_no_obstacle() -> None:
    assert JPEG_COMPRESSION.applied(torch.empty(0, 8, 8, 3, dtype=torch.uint8), 85).shape == (0, 8, 8, 3)
