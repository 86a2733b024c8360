"""Every row of the corruption table passes the battery, and the battery can fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from robustbench_eff.core.errors import DataError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.corruptions import GAUSSIAN_NOISE, Kernel
from robustbench_eff.registry.corruptions import CORRUPTIONS
from robustbench_eff.registry.perturbation_sets import IMAGENET_C, IMAGENET_C_BAR, IMAGENET_C_EXTRA, PERTURBATION_SETS
from robustbench_eff.testing import (
    CORRUPTION_CHECKS,
    gives_as_many_pixels,
    has_five_severities,
    is_drawn_from_its_seed,
    is_the_same_in_any_batch,
)


@pytest.mark.parametrize("check", CORRUPTION_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_every_corruption_keeps_the_contract(name: str, check: Callable[[Kernel], None]) -> None:
    kernel = CORRUPTIONS[name].load()
    try:
        kernel.files()
    except DataError as absent:
        pytest.skip(absent.message)
    check(kernel)


def test_a_name_is_that_of_its_kernel() -> None:
    assert [row.load().name for row in CORRUPTIONS.values()] == list(CORRUPTIONS)


def test_sets_are_the_published_ones() -> None:
    assert (IMAGENET_C + IMAGENET_C_EXTRA)[0::18] == ("gaussian_noise", "saturate")
    assert IMAGENET_C_BAR[0::9] == ("caustic_refraction", "brownish_noise")
    assert [len(texts) for texts in PERTURBATION_SETS.values()] == [95, 50, 95, 50, 14, 6, 20]


def of_the_batch(pixels: torch.Tensor, value: float, noise: torch.Tensor) -> torch.Tensor:
    return (pixels.float() * 0 + pixels.float().mean()).to(torch.uint8)


@pytest.mark.parametrize(
    ("check", "change"),
    [
        (gives_as_many_pixels, {"apply": lambda pixels, value, noise: pixels.float()}),
        (is_the_same_in_any_batch, {"apply": of_the_batch}),
        (is_drawn_from_its_seed, {"apply": lambda pixels, value, noise: pixels}),
        (has_five_severities, {"severities": {"cifar10": (0.1, 0.2)}}),
    ],
)
def test_the_battery_notices(check: Callable[[Kernel], None], change: dict) -> None:
    broken = replace(GAUSSIAN_NOISE, compiled=None, **change)
    with pytest.raises((AssertionError, RuntimeError, IndexError)):
        check(broken)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_batches_of_1_7_and_64_give_the_same_bytes(name: str) -> None:
    kernel = CORRUPTIONS[name].load()
    corruption = kernel.at(3, next(iter(kernel.severities)))
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (64, 32, 32, 3), dtype=torch.uint8, generator=random)
    draws = RandomStreams.of(0, range(64))
    together = corruption(pixels, draws)
    order = torch.randperm(64, generator=random)
    for size in (1, 7):
        for rows in order.split(size):
            assert torch.equal(corruption(pixels[rows], draws[rows]), together[rows])
