"""Fed the same draws, our kernels make the same bytes as the reference package."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from robustbench_eff import corruptions
from robustbench_eff.benchmarks.readers.decode import decode
from robustbench_eff.corruptions import Kernel

pytest.importorskip("imagecorruptions", reason="the reference package is not installed")

import cv2
from skimage import data

from reference_corruptions import corrupted, reference
from robustbench_eff.corruptions.frost import enlarged
from robustbench_eff.corruptions.published_frost import published_frost
from robustbench_eff.corruptions.shot_noise import developed

SIDE, SEVERITIES = 224, range(1, 6)
WHOLE = {"spatter": 1}
"""Levels by which a kernel may be off; all others by none."""
ANOTHER_ALGORITHM = {"snow", "elastic_transform", "frost"}
"""The original's, which the package does not have: test_originals.py holds them."""
KERNELS = {
    kernel.name: kernel
    for kernel in vars(corruptions).values()
    if isinstance(kernel, Kernel) and hasattr(reference, kernel.name.removesuffix("_imagecorruptions"))
    if kernel.name not in ANOTHER_ALGORITHM
}


def square(picture: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BILINEAR))


@pytest.fixture(scope="module")
def photographs() -> list[np.ndarray]:
    return [square(picture()) for picture in (data.astronaut, data.cat, data.coffee, data.rocket)]


def gaussian(random: np.random.RandomState, _: Any) -> tuple[np.ndarray, ...]:
    return (random.normal(size=(SIDE, SIDE, 3)),)


def impulse(amount: float, seed: int) -> tuple[np.ndarray, ...]:
    """One draw that says what two of scikit-image's say."""
    random = np.random.default_rng(seed)
    hit, salt = random.random((SIDE, SIDE, 3)) <= amount, random.random((SIDE, SIDE, 3)) <= 0.5
    return (np.where(hit, np.where(salt, 0.0, 0.75 * amount), 1.0),)


def glass(random: np.random.RandomState, value: Any) -> tuple[np.ndarray, ...]:
    inner = SIDE - 2 * value.reach
    return (np.stack([random.randint(-value.reach, value.reach, size=(inner, inner, 2)) for _ in range(value.sweeps)]),)


def frost(random: np.random.RandomState, _: Any) -> tuple[np.ndarray, ...]:
    picture = published_frost()[random.randint(5)]
    height, width = (math.ceil(side * 1.1) for side in picture.shape[:2])
    picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_CUBIC)
    top, left = random.randint(0, height - SIDE), random.randint(0, width - SIDE)
    return (picture[top : top + SIDE, left : left + SIDE].copy(),)


def snow(random: np.random.RandomState, _: Any) -> tuple[np.ndarray, ...]:
    return random.normal(size=(SIDE, SIDE)), np.asarray(random.uniform(-135, -45))


DRAWS: dict[str, Callable[[np.random.RandomState, Any], tuple[np.ndarray, ...]]] = {
    "gaussian_noise": gaussian,
    "speckle_noise": gaussian,
    "glass_blur": glass,
    "motion_blur": lambda random, _: (np.asarray(random.uniform(-45, 45)),),
    "snow_imagecorruptions": snow,
    "frost_imagecorruptions": frost,
    "fog": lambda random, _: (random.random_sample(256 * 256 - 1),),
    "elastic_transform_imagecorruptions": lambda random, _: tuple(random.random_sample((2, SIDE, SIDE))),
    "spatter": lambda random, _: (random.normal(size=(SIDE, SIDE)),),
}
"""The reference's draws, in its order."""


def ours(kernel: Kernel, value: Any, image: np.ndarray, seed: int) -> np.ndarray:
    random = np.random.RandomState(seed)
    if kernel.name == "shot_noise":
        return developed(torch.from_numpy(random.poisson(image[None] / 255.0 * value)).double(), value)[0].numpy()
    draw = DRAWS.get(kernel.name, lambda *_: ())
    sampled = impulse(value, seed) if kernel.name == "impulse_noise" else draw(random, value)
    return kernel.apply(
        torch.from_numpy(image.copy())[None], value, *(torch.from_numpy(item)[None] for item in sampled)
    )[0].numpy()


def difference(kernel: Kernel, image: np.ndarray, severity: int, seed: int) -> int:
    """The largest, in levels."""
    expected = corrupted(kernel.name.removesuffix("_imagecorruptions"), image, severity, seed)
    found = ours(kernel, kernel.severities["imagenet"][severity - 1], image, seed)
    return int(np.abs(found.astype(int) - expected.astype(int)).max())


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("name", sorted(KERNELS))
def test_bytes_are_those_of_the_reference(name: str, severity: int, photographs: list[np.ndarray]) -> None:
    # The reference's glass blur takes a second an image.
    for seed, image in enumerate(photographs[: 1 if name == "glass_blur" else None]):
        assert difference(KERNELS[name], image, severity, seed) <= WHOLE.get(name, 0)


@pytest.mark.parametrize("side", [224, 400])
@pytest.mark.parametrize("number", range(5))
def test_frost_is_enlarged_as_by_opencv(number: int, side: int) -> None:
    """OpenCV's two programs for it differ from each other by one level on 5 % of the values."""
    picture = published_frost()[number]
    found = enlarged(picture, (side, side)).numpy()
    expected = cv2.resize(picture, found.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    off = np.abs(found.astype(int) - expected)
    assert off.max() <= 1
    assert (off > 0).mean() < (2e-5 if cv2.ipp.useIPP() else 0.06)
    assert min(found.shape[:2]) == math.ceil(max(1, side / min(picture.shape[:2])) * 1.1 * min(picture.shape[:2]))


@pytest.mark.shared
@pytest.mark.parametrize("name", sorted(set(KERNELS) - {"glass_blur"}))
def test_the_same_on_twenty_photographs_of_imagenet(name: str, shared: Path) -> None:
    column = pq.read_table(shared / "nips17_dev_400_png.parquet", columns=["image"]).slice(0, 20)["image"]
    for seed, item in enumerate(column.to_pylist()):
        image = square(np.asarray(decode(item, "nips17")))
        assert difference(KERNELS[name], image, seed % 5 + 1, seed) <= WHOLE.get(name, 0)


def test_another_draw_is_noticed(photographs: list[np.ndarray]) -> None:
    kernel = KERNELS["gaussian_noise"]
    expected = corrupted("gaussian_noise", photographs[0], 1, seed=1)
    assert np.abs(ours(kernel, 0.08, photographs[0], seed=2).astype(int) - expected.astype(int)).max() > 1
