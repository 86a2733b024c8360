"""What the reference package does otherwise than the original: against golden digests of what the original calls."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("imagecorruptions", reason="it brings OpenCV and the published pictures of frost")

import cv2

from robustbench_eff.core.errors import DataError
from robustbench_eff.corruptions import (
    ELASTIC_TRANSFORM,
    FROST,
    FROST_IMAGECORRUPTIONS,
    FROST_PUBLISHED,
    SNOW,
    SNOW_IMAGECORRUPTIONS,
    frost_of,
    frost_pictures,
)
from robustbench_eff.corruptions.corruption import Constants
from robustbench_eff.corruptions.frost import _random_crop, shrunk
from robustbench_eff.corruptions.frost_pictures import pictures
from robustbench_eff.corruptions.published_frost import FILES, VARIABLE, published_frost
from robustbench_eff.registry.build_corruption import parse_corruption
from robustbench_eff.testing.corruptions import example_batch

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
    pixels, draws = example_batch()
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


def test_frost_pictures_are_drawn_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn, again = pictures(), pictures.__wrapped__  # type: ignore[attr-defined]
    monkeypatch.setenv("ROBUST_EVAL_CACHE", str(tmp_path))
    counts: list[int] = []
    monkeypatch.setattr(frost_pictures, "_grown", lambda index: counts.append(index) or drawn[index])
    for expected in (5, 5):  # drawn, then read
        assert all(np.array_equal(one, other) for one, other in zip(again(), drawn, strict=True))
        assert len(counts) == expected
    (file,) = (tmp_path / "frost").iterdir()
    content = bytearray(file.read_bytes())
    content[5000] ^= 1
    file.write_bytes(content)
    assert all(np.array_equal(one, other) for one, other in zip(again(), drawn, strict=True))
    assert len(counts) == 10, "a damaged file is drawn again"
    assert all(np.array_equal(one, other) for one, other in zip(again(), drawn, strict=True))
    assert len(counts) == 10
    monkeypatch.setenv("ROBUST_EVAL_CACHE", str(file / "no folder"))
    assert len(again()) == 5 and len(counts) == 15, "no cache is no error"


def original_frost(image: np.ndarray, shares: tuple[float, float], small: bool) -> np.ndarray:
    """hendrycks/robustness 8190fe3, make_imagenet_c.py and make_cifar_c.py, with NumPy's global generator."""
    side, folder = image.shape[0], os.environ[VARIABLE]
    frost = cv2.imread(f"{folder}/{[*FILES, 'frost6.jpg'][np.random.randint(5)]}")
    if small:
        frost = cv2.resize(frost, (0, 0), fx=0.2, fy=0.2)
    x_start, y_start = np.random.randint(0, frost.shape[0] - side), np.random.randint(0, frost.shape[1] - side)
    frost = frost[x_start : x_start + side, y_start : y_start + side][..., [2, 1, 0]]
    return np.uint8(np.clip(shares[0] * image + shares[1] * frost, 0, 255))


@pytest.mark.parametrize(("constants", "side"), [("imagenet", 224), ("cifar10", 32)])
def test_frost_with_the_published_pictures_is_the_original(constants: Constants, side: int) -> None:
    """A uniform draw in the middle of what one of NumPy's stands for gives the same part of the same picture."""
    image = np.random.default_rng(side).integers(0, 256, (side, side, 3), dtype=np.uint8)
    for seed, shares in enumerate(FROST_PUBLISHED.severities[constants]):
        np.random.seed(seed)
        expected = original_frost(image, shares, side == 32)
        fitted = [shrunk(picture, (side, side)) for picture in published_frost()]
        random = np.random.RandomState(seed)
        number = random.randint(5)
        room = [there - side for there in fitted[number].shape[:2]]
        uniform = torch.tensor([(number + 0.5) / 5, *((random.randint(0, space) + 0.5) / space for space in room)])
        ice = _random_crop(fitted, (side, side), uniform.double())
        assert np.array_equal(FROST_PUBLISHED.apply(torch.from_numpy(image)[None], shares, ice[None])[0], expected)


def test_the_pictures_are_part_of_what_is_stored() -> None:
    assert "pictures" not in FROST.at(1).configuration
    for kernel in (FROST_PUBLISHED, FROST_IMAGECORRUPTIONS):
        assert re.fullmatch(r"hendrycks/robustness [0-9a-f]{16}", kernel.at(1).configuration["pictures"])
    first, second = (frost_of("mine", pictures=[picture]) for picture in pictures()[:2])
    assert first.at(1).configuration["pictures"] != second.at(1).configuration["pictures"]
    assert not torch.equal(first.at(1)(picture()), second.at(1)(picture()))


def test_without_the_published_pictures_it_is_said_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = Path(os.environ[VARIABLE])
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(DataError, match=f"Set {VARIABLE} to the folder"):
        FROST_PUBLISHED.at(3)
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(DataError, match=r"does not contain frost1.png, frost2.png, frost3.png, frost4.jpg, frost5.jpg"):
        parse_corruption("frost_imagecorruptions(severity=2)")
    for name in FILES:
        shutil.copy(folder / "frost2.png", tmp_path / name)
    with pytest.raises(DataError, match=r"frost1.png is not the published picture of that name"):
        FROST_PUBLISHED.at(3)


def test_pictures_smaller_than_the_images_are_refused_or_enlarged() -> None:
    large = torch.zeros(1, 320, 400, 3, dtype=torch.uint8)
    with pytest.raises(
        DataError, match=r"560×315 pixels is smaller than the images of 400×320(.|\n)*Pass larger pictures"
    ):
        FROST_PUBLISHED.at(1)(large)
    assert FROST_IMAGECORRUPTIONS.at(1)(large).float().mean() > 10


def test_frost_is_what_the_formula_says() -> None:
    pixels = torch.tensor([[[[100, 200, 3]]]], dtype=torch.uint8)
    ice = torch.tensor([[[[50, 250, 7]]]], dtype=torch.uint8)
    assert FROST.apply(pixels, (0.8, 0.6), ice).tolist() == [[[[110, 255, 6]]]]
