"""What our generator draws is distributed as what NumPy and scikit-image draw for imagecorruptions.

Every test compares with 1,000 reference images or more, and has a control that the same comparison rejects.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import torch
from scipy.stats import chi2_contingency, ks_2samp

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.corruptions import (
    GAUSSIAN_NOISE,
    GLASS_BLUR,
    IMPULSE_NOISE,
    MOTION_BLUR,
    SHOT_NOISE,
    SNOW,
    SPECKLE_NOISE,
    Kernel,
    frost_of,
)

skimage_util = pytest.importorskip("skimage.util", reason="the reference package is not installed")

IMAGES, SIDE = 1000, 6
LEVELS = (40, 128, 220)
VALUES = 5000
"""Of a single number an image: angles and places."""
UNLIKELY = 0.001
SEVERITIES = range(1, 6)


def salt_and_pepper(clean: np.ndarray, amount: float, random: np.random.Generator) -> np.ndarray:
    return skimage_util.random_noise(clean, mode="s&p", amount=amount, rng=random)


REFERENCES: dict[str, tuple[Kernel, Callable[[np.ndarray, float, np.random.Generator], np.ndarray]]] = {
    "gaussian_noise": (GAUSSIAN_NOISE, lambda x, c, random: x + random.normal(size=x.shape, scale=c)),
    "shot_noise": (SHOT_NOISE, lambda x, c, random: random.poisson(x * c) / float(c)),
    "impulse_noise": (IMPULSE_NOISE, salt_and_pepper),
    "speckle_noise": (SPECKLE_NOISE, lambda x, c, random: x + x * random.normal(size=x.shape, scale=c)),
}
"""Our kernels, and what imagecorruptions 1.1.2 does to fractions before it clips them."""


@cache
def reference(name: str, severity: int, level: int) -> np.ndarray:
    """1,000 images of one colour."""
    kernel, noisy = REFERENCES[name]
    clean = np.full((IMAGES, SIDE, SIDE, 3), level) / 255.0
    found = noisy(clean, kernel.severities["imagenet"][severity - 1], np.random.default_rng(level + severity))
    return np.uint8(np.clip(found, 0, 1) * 255)


@cache
def ours(name: str, severity: int, level: int) -> np.ndarray:
    pixels = torch.full((IMAGES, SIDE, SIDE, 3), level, dtype=torch.uint8)
    return REFERENCES[name][0].at(severity)(pixels, RandomStreams.of(level, range(IMAGES))).numpy()


def of_one_histogram(first: np.ndarray, second: np.ndarray) -> float:
    """The p-value of the chi-square test that whole numbers are of one distribution, rare ones pooled."""
    low = min(first.min(), second.min())
    counts = np.stack([np.bincount(part.ravel().astype(int) - low, minlength=256) for part in (first, second)])
    bins = np.minimum(np.cumsum(counts.sum(0)) // 100, counts.sum() // 100 - 1)
    pooled = np.stack([np.bincount(bins, weights=row) for row in counts])
    pooled = pooled[:, pooled.sum(0) > 0]
    assert pooled.shape[1] > 1, "a single bin says nothing"
    return float(chi2_contingency(pooled).pvalue)


def moments_apart(first: np.ndarray, second: np.ndarray) -> float:
    """How many standard errors the mean, the spread or the skew of two samples differ by at most."""
    middle, scale = second.mean(), second.std()
    powers = [[((part.ravel() - middle) / scale) ** power for part in (first, second)] for power in (1, 2, 3)]
    errors = [np.sqrt(sum(part.var() / part.size for part in pair)) for pair in powers]
    return max(abs(pair[0].mean() - pair[1].mean()) / error for pair, error in zip(powers, errors, strict=True))


def over_images(images: np.ndarray) -> np.ndarray:
    """The mean of each: pixels that know of each other would spread it."""
    return images.reshape(len(images), -1).mean(1)


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("name", REFERENCES)
def test_noise_is_distributed_as_the_reference(name: str, severity: int) -> None:
    for level in LEVELS:
        found, expected = ours(name, severity, level), reference(name, severity, level)
        assert of_one_histogram(found, expected) > UNLIKELY
        assert ks_2samp(over_images(found), over_images(expected)).pvalue > UNLIKELY
        assert moments_apart(found, expected) < 4


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("name", REFERENCES)
def test_the_next_severity_is_told_from_it(name: str, severity: int) -> None:
    for level in LEVELS:
        found, other = ours(name, severity, level), reference(name, severity + 1 if severity < 5 else 4, level)
        assert of_one_histogram(found, other) < UNLIKELY
        assert moments_apart(found, other) > 4


def test_noise_that_pixels_share_is_told_from_it() -> None:
    """Its histogram is right; the means of the images are not."""
    expected = reference("gaussian_noise", 1, 128)
    red = ours("gaussian_noise", 1, 128)[..., :1]
    shared = np.broadcast_to(red, expected.shape)
    assert of_one_histogram(red, expected) > UNLIKELY
    assert ks_2samp(over_images(shared), over_images(expected)).pvalue < UNLIKELY


@pytest.mark.parametrize("severity", SEVERITIES)
def test_steps_of_glass_blur_are_uniform_and_independent(severity: int) -> None:
    glass = GLASS_BLUR.severities["imagenet"][severity - 1]
    size = (SIDE + 2 * glass.reach,) * 2
    (steps,) = GLASS_BLUR.sample(RandomStreams.of(severity, range(IMAGES)), size, glass)
    assert steps.shape == (IMAGES, glass.sweeps, SIDE, SIDE, 2)
    random = np.random.RandomState(severity)
    expected = random.randint(-glass.reach, glass.reach, size=steps.shape)
    wider = random.randint(-glass.reach - 1, glass.reach + 1, size=steps.shape)
    found = paired(steps.numpy(), glass.reach)
    assert of_one_histogram(found, paired(expected, glass.reach)) > UNLIKELY
    assert of_one_histogram(steps.numpy(), wider) < UNLIKELY
    same = np.repeat(steps.numpy()[..., :1], 2, axis=-1)
    assert of_one_histogram(paired(same, glass.reach), found) < UNLIKELY


def paired(steps: np.ndarray, reach: int) -> np.ndarray:
    """A step across and one down as one number."""
    return (steps[..., 0].astype(int) + reach) * 2 * reach + steps[..., 1] + reach


@pytest.mark.parametrize(("kernel", "low", "high"), [(MOTION_BLUR, -45, 45), (SNOW, -135, -45)])
def test_angles_are_uniform(kernel: Kernel, low: int, high: int) -> None:
    found = kernel.sample(RandomStreams.of(0, range(VALUES)), (2, 2), kernel.severities["imagenet"][0])[-1].numpy()
    random = np.random.default_rng(0)
    assert ks_2samp(found, random.uniform(low, high, VALUES)).pvalue > UNLIKELY
    assert ks_2samp(found, random.uniform(low + 5, high - 5, VALUES)).pvalue < UNLIKELY
    assert ks_2samp(found, random.normal((low + high) / 2, (high - low) / 12**0.5, VALUES)).pvalue < UNLIKELY


def test_the_part_of_a_frost_picture_is_uniform() -> None:
    """Pictures whose colours say which they are and where."""
    rows, columns, size, pictures = 200, 250, (40, 50), 5
    row, column = np.mgrid[:rows, :columns]
    told = [np.stack((row, column, np.full_like(row, number)), -1).astype(np.uint8) for number in range(pictures)]
    kernel = frost_of("told", pictures=told)
    (ice,) = kernel.sample(RandomStreams.of(0, range(VALUES)), size, kernel.severities["imagenet"][0])
    corners, random = ice[:, 0, 0].numpy().astype(float), np.random.RandomState(0)
    for position, most in enumerate((rows - size[0], columns - size[1], pictures)):
        found = corners[:, position] + random.random_sample(VALUES)  # so that no two are equal
        expected = random.randint(0, most, VALUES) + random.random_sample(VALUES)
        narrow = random.randint(0, 0.9 * most, VALUES) + random.random_sample(VALUES)
        assert ks_2samp(found, expected).pvalue > UNLIKELY
        assert ks_2samp(found, narrow).pvalue < UNLIKELY
        assert corners[:, position].max() < most
    links = np.abs(np.corrcoef(corners.T) - np.eye(3))
    assert links.max() < 4 / VALUES**0.5
