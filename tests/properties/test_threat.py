"""Projection: idempotent, inside, never farther away."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from robustbench_eff.core.errors import SpecError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.threat import NORMS, Threat, distance, steepest_ascent

GRADIENT_NORMS = ("linf", "l2")


def radius(norm: str, eps: float) -> float:
    """A radius of a plausible size: of the 25 pixels some, and in L1 and L2 more than in L-infinity."""
    return {"linf": eps, "l2": 3 * eps, "l1": 10 * eps, "l0": 1 + int(20 * eps)}[norm]


def batch(seed: int, scale: float) -> tuple[torch.Tensor, torch.Tensor]:
    draws = RandomStreams.of(seed, range(4))
    images = draws.uniform((3, 5, 5), stream="images")
    return images, images + scale * draws.normal((3, 5, 5), stream="noise")


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(NORMS), st.floats(0.001, 0.9), st.integers(0, 1000), st.floats(0, 3))
def test_projection_is_idempotent_and_inside(norm, eps: float, seed: int, scale: float) -> None:
    threat = Threat(norm, radius(norm, eps))
    images, perturbed = batch(seed, scale)
    once = threat.project(perturbed, images)
    assert threat.excess(once, images).max() <= 1e-6 * max(1, threat.eps)
    assert (threat.project(once, images) - once).abs().max() <= 1e-6
    assert (distance(once, images, norm) <= distance(perturbed, images, norm) + 1e-6).all()


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(NORMS), st.integers(0, 1000))
def test_what_is_inside_stays(norm, seed: int) -> None:
    images, perturbed = batch(seed, 0.001)
    perturbed = perturbed.clamp(0, 1)
    assert (
        Threat(norm, radius(norm, 1 if norm == "l0" else 0.9) + 24 * (norm == "l0")).project(perturbed, images)
        - perturbed
    ).abs().max() <= 1e-6


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(GRADIENT_NORMS), st.integers(0, 1000))
def test_no_unit_step_climbs_faster(norm, seed: int) -> None:
    _, gradient = batch(seed, 1.0)
    best = steepest_ascent(gradient, norm)
    assert distance(best, torch.zeros_like(best), norm) == pytest.approx([1.0] * 4, abs=1e-5)
    _, other = batch(seed + 1, 1.0)
    other = other / distance(other, torch.zeros_like(other), norm)[:, None, None, None]
    assert ((best - other) * gradient).flatten(1).sum(1).min() >= -1e-4


@pytest.mark.parametrize(
    ("norm", "eps"), [("linf", 0.5), ("l2", 0.5), ("l2", 3.0), ("l2", 10.0), ("l1", 12.0), ("l1", 60.0), ("l0", 100)]
)
def test_projection_is_inside_at_the_size_of_imagenet_too(norm, eps: float) -> None:
    draws = RandomStreams.of(0, range(4))
    images = 0.25 + 0.5 * draws.uniform((3, 224, 224), stream="images")
    perturbed = images + 0.1 * draws.normal((3, 224, 224), stream="noise")
    threat = Threat(norm, eps)
    assert threat.excess(threat.project(perturbed, images), images).max() <= 1e-6


@settings(max_examples=60, deadline=None)
@given(st.floats(0.01, 30), st.integers(0, 1000), st.floats(0.01, 3))
def test_the_l1_projection_is_the_nearest_point(eps: float, seed: int, scale: float) -> None:
    """Against bisection of the threshold in float64, which is slow and plain."""
    images, perturbed = batch(seed, scale)
    found = Threat("l1", eps).project(perturbed, images)
    clean, delta = images.double().flatten(1), (perturbed - images).double().flatten(1)
    room = torch.where(delta > 0, 1 - clean, clean)
    low, high = torch.zeros(4, 1, dtype=torch.float64), delta.abs().amax(1, keepdim=True)
    if_zero = torch.minimum(delta.abs(), room).sum(1, keepdim=True)
    for _ in range(80):
        middle = (low + high) / 2
        length = torch.minimum((delta.abs() - middle).clamp_min(0), room).sum(1, keepdim=True)
        low, high = torch.where(length > eps, middle, low), torch.where(length > eps, high, middle)
    threshold = torch.where(if_zero <= eps, torch.zeros_like(high), high)
    expected = clean + delta.sign() * torch.minimum((delta.abs() - threshold).clamp_min(0), room)
    assert (found.flatten(1) - expected).abs().max() < 2e-5


def test_the_l0_projection_keeps_the_pixels_that_changed_most() -> None:
    images = torch.full((1, 3, 2, 2), 0.5)
    perturbed = images.clone()
    perturbed[0, :, 0, 0] += 0.1
    perturbed[0, 1, 1, 1] += 0.4
    perturbed[0, 2, 0, 1] -= 0.3
    kept = Threat("l0", 2).project(perturbed, images)
    assert (kept != images).any(1).tolist() == [[[False, True], [False, True]]]
    assert distance(kept, images, "l0").tolist() == [2.0]


def test_without_a_ball_only_the_box_is_left() -> None:
    images, perturbed = batch(0, 1.0)
    for norm in NORMS:
        threat = Threat(norm, float("inf"))
        assert torch.equal(threat.project(perturbed, images), perturbed.clamp(0, 1))
        assert threat.excess(perturbed.clamp(0, 1), images).max() == 0


def test_a_zero_gradient_gives_no_step() -> None:
    for norm in GRADIENT_NORMS:
        assert not steepest_ascent(torch.zeros(2, 3, 4, 4), norm).any()


def test_excess_counts_the_box_too() -> None:
    images = torch.zeros(1, 3, 2, 2)
    assert Threat("linf", 0.5).excess(images - 0.1, images).item() == pytest.approx(0.1)
    assert Threat("linf", 0.05).excess(images + 0.1, images).item() == pytest.approx(0.05)


@pytest.mark.parametrize("eps", [0, -1, 8, float("nan")])
def test_an_eps_outside_pixel_units_is_refused(eps: float) -> None:
    with pytest.raises(SpecError, match=r"in units of \[0, 1\] pixels"):
        Threat("linf", eps)


@pytest.mark.parametrize("eps", [0, 0.5, 1.5])
def test_l0_counts_whole_pixels(eps: float) -> None:
    with pytest.raises(SpecError, match="number of pixels"):
        Threat("l0", eps)


@pytest.mark.parametrize(
    ("seed", "scale", "eps"), [(953, 1.5, 0.3), (620, 3.0, 0.3), (686, 3.0, 1.0326), (827, 2.421875, 1.0326)]
)
def test_l1_is_inside_where_newtons_steps_creep(seed: int, scale: float, eps: float) -> None:
    """Far outside the box the length is flat in the threshold: these left the ball by up to a fifth."""
    images, perturbed = batch(seed, scale)
    threat = Threat("l1", eps)
    assert threat.excess(threat.project(perturbed, images), images).max() <= 1e-6 * max(1, eps)
