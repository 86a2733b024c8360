"""What the reference package does otherwise than the original: against golden digests of what the original calls."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from robustbench_eff.corruptions import ELASTIC_TRANSFORM, FROST, SNOW, SNOW_IMAGECORRUPTIONS
from robustbench_eff.corruptions.ice import pictures
from robustbench_eff.testing import _pictures

ROOT = Path(__file__).parents[2]
SIDE = 96


def picture() -> torch.Tensor:
    """That of scripts/golden_elastic_transform.py."""
    row, column = np.mgrid[:SIDE, :SIDE]
    slopes = np.stack((2 * row + column, row + 3 * column, 3 * row + 2 * column), axis=-1)
    return torch.from_numpy(np.abs(slopes % 510 - 255).astype(np.uint8))[None]


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("severity", range(1, 6))
def test_the_original_elastic_transform_is_that_of_opencv_4(severity: int, compiled: bool) -> None:
    if compiled and importlib.util.find_spec("numba") is None:
        pytest.skip("numba is not installed")
    stored = json.loads((ROOT / "tests" / "golden" / "elastic_transform.json").read_text())["digests"]
    random = np.random.RandomState(severity)
    draws = random.random_sample((3, 2)), *random.random_sample((2, SIDE, SIDE))
    program = ELASTIC_TRANSFORM.compiled if compiled else ELASTIC_TRANSFORM.apply
    value = ELASTIC_TRANSFORM.severities["imagenet"][severity - 1]
    found = program(picture(), value, *(torch.from_numpy(item)[None] for item in draws))
    assert hashlib.blake2b(found.numpy().tobytes(), digest_size=8).hexdigest() == stored[str(severity)]


def test_the_two_snows_differ_by_how_flakes_are_rounded() -> None:
    """Most values are equal; where the smear is cut off at the border they are not."""
    pixels, draws = _pictures()
    for value in SNOW.severities["imagenet"]:
        sampled = SNOW.sample(draws, (32, 32), value)
        first, second = (kernel.apply(pixels, value, *sampled) for kernel in (SNOW, SNOW_IMAGECORRUPTIONS))
        off = (first.int() - second.int()).abs()
        assert 0 < (off > 0).float().mean() < 0.9
        assert (off <= 2).float().mean() > 0.6


def test_frost_pictures_are_ice_and_differ() -> None:
    grown = pictures()
    assert len(grown) == 5
    for number, one in enumerate(grown):
        assert one.shape == (640, 640, 3)
        assert one.std() > 20, "neither dark nor white all over"
        assert all(np.abs(one.astype(int) - other).mean() > 20 for other in grown[:number])


def test_frost_is_what_the_formula_says() -> None:
    pixels = torch.tensor([[[[100, 200, 3]]]], dtype=torch.uint8)
    ice = torch.tensor([[[[50, 250, 7]]]], dtype=torch.uint8)
    assert FROST.apply(pixels, (0.8, 0.6), ice).tolist() == [[[[110, 255, 6]]]]
