"""Projection: idempotent, inside, never farther away."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from robustbench_eff.errors import SpecError
from robustbench_eff.rng import Draws
from robustbench_eff.threat import NORMS, Threat, distance, steepest_ascent


def batch(seed: int, scale: float) -> tuple[torch.Tensor, torch.Tensor]:
    draws = Draws.of(seed, range(4))
    images = draws.uniform((3, 5, 5), stream="images")
    return images, images + scale * draws.normal((3, 5, 5), stream="noise")


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(NORMS), st.floats(0.001, 0.9), st.integers(0, 1000), st.floats(0, 3))
def test_projection_is_idempotent_and_inside(norm, eps: float, seed: int, scale: float) -> None:
    threat = Threat(norm, eps)
    images, perturbed = batch(seed, scale)
    once = threat.project(perturbed, images)
    assert threat.excess(once, images).max() <= 1e-6
    assert (threat.project(once, images) - once).abs().max() <= 1e-6
    assert (distance(once, images, norm) <= distance(perturbed, images, norm) + 1e-6).all()


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(NORMS), st.integers(0, 1000))
def test_what_is_inside_stays(norm, seed: int) -> None:
    images, perturbed = batch(seed, 0.001)
    perturbed = perturbed.clamp(0, 1)
    assert (Threat(norm, 0.9).project(perturbed, images) - perturbed).abs().max() <= 1e-6


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(NORMS), st.integers(0, 1000))
def test_no_unit_step_climbs_faster(norm, seed: int) -> None:
    _, gradient = batch(seed, 1.0)
    best = steepest_ascent(gradient, norm)
    assert distance(best, torch.zeros_like(best), norm) == pytest.approx([1.0] * 4, abs=1e-5)
    _, other = batch(seed + 1, 1.0)
    other = other / distance(other, torch.zeros_like(other), norm)[:, None, None, None]
    assert ((best - other) * gradient).flatten(1).sum(1).min() >= -1e-4


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("eps", [0.5, 3.0, 10.0])
def test_projection_is_inside_at_the_size_of_imagenet_too(norm, eps: float) -> None:
    eps = min(eps, 1.0) if norm == "linf" else eps
    draws = Draws.of(0, range(4))
    images = 0.25 + 0.5 * draws.uniform((3, 224, 224), stream="images")
    perturbed = images + 0.1 * draws.normal((3, 224, 224), stream="noise")
    threat = Threat(norm, eps)
    assert threat.excess(threat.project(perturbed, images), images).max() <= 1e-6


def test_a_zero_gradient_gives_no_step() -> None:
    for norm in NORMS:
        assert not steepest_ascent(torch.zeros(2, 3, 4, 4), norm).any()


def test_excess_counts_the_box_too() -> None:
    images = torch.zeros(1, 3, 2, 2)
    assert Threat("linf", 0.5).excess(images - 0.1, images).item() == pytest.approx(0.1)
    assert Threat("linf", 0.05).excess(images + 0.1, images).item() == pytest.approx(0.05)


@pytest.mark.parametrize("eps", [0, -1, 8, float("nan")])
def test_an_eps_outside_pixel_units_is_refused(eps: float) -> None:
    with pytest.raises(SpecError, match=r"in units of \[0, 1\] pixels"):
        Threat("linf", eps)
