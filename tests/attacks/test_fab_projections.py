"""The projections of FAB against linear programs and bisection in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from robustbench_eff.attacks.fab_projections import smallest_move
from robustbench_eff.core.rng import RandomStreams

PROBLEMS, SHAPE = 120, (3, 2, 3)


def problems(dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return points with pixels on the walls, normals with zeros, and gains of both signs, every fifth too large."""
    draws = RandomStreams.of(1, range(PROBLEMS))
    points = (1.4 * draws.uniform(SHAPE, stream="points").to(dtype) - 0.2).clamp(0, 1)
    normals = draws.normal(SHAPE, stream="normals").to(dtype) ** 3
    normals = torch.where(draws.uniform(SHAPE, stream="zeros") < 0.2, 0, normals)
    sign = torch.where(torch.arange(PROBLEMS) % 2 == 0, 1.0, -1.0).to(dtype)
    share = torch.where(torch.arange(PROBLEMS) % 5 == 0, 1.3, draws.uniform((), stream="shares")).to(dtype)
    return points, normals, sign * share * most_gain(points, normals, sign)


def most_gain(points: torch.Tensor, normals: torch.Tensor, sign: torch.Tensor) -> torch.Tensor:
    upwards = (normals > 0) == (sign > 0)[:, None, None, None]
    room = torch.where(upwards, 1 - points, points)
    return (normals.abs() * room).flatten(1).sum(1)


def by_linear_program(point: np.ndarray, normal: np.ndarray, gain: float, norm: str) -> float:
    """Return the length of the shortest move. Variables: the moves up and down and, for L-infinity, the length."""
    linprog = pytest.importorskip("scipy.optimize").linprog
    size = len(point)
    if norm == "l1":
        bounds = [(0, 1 - value) for value in point] + [(0, value) for value in point]
        return linprog(np.ones(2 * size), A_eq=[np.concatenate((normal, -normal))], b_eq=[gain], bounds=bounds).fun
    limits = np.block([[np.eye(size), -np.ones((size, 1))], [-np.eye(size), -np.ones((size, 1))]])
    return linprog(
        np.append(np.zeros(size), 1),
        A_ub=limits,
        b_ub=np.zeros(2 * size),
        A_eq=[np.append(normal, 0)],
        b_eq=[gain],
        bounds=[(-value, 1 - value) for value in point] + [(0, None)],
    ).fun


def by_bisection(point: np.ndarray, normal: np.ndarray, gain: float) -> float:
    """L2: the move is clip(point + t normal) - point for the smallest sufficient t."""
    low, high = 0.0, 1e12
    for _ in range(300):
        middle = (low + high) / 2
        move = np.clip(point + np.sign(gain) * middle * normal, 0, 1) - point
        low, high = (middle, high) if abs(move @ normal) < abs(gain) else (low, middle)
    return float(np.linalg.norm(move))


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_no_shorter_move_reaches_the_hyperplane(norm: str) -> None:
    points, normals, gains = problems()
    moves = smallest_move(points, normals, gains, norm).flatten(1)
    order = {"linf": float("inf"), "l2": 2, "l1": 1}[norm]
    for index in range(PROBLEMS):
        point, normal = points[index].flatten().numpy(), normals[index].flatten().numpy()
        gain = gains[index].item()
        if index % 5 == 0:
            continue
        move = moves[index].numpy()
        assert move @ normal == pytest.approx(gain, abs=1e-9)
        expected = by_bisection(point, normal, gain) if norm == "l2" else by_linear_program(point, normal, gain, norm)
        assert np.linalg.norm(move, order) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_a_hyperplane_out_of_reach_gives_the_corner_with_the_largest_gain(norm: str) -> None:
    points, normals, gains = (part[::5] for part in problems())
    moves = smallest_move(points, normals, gains, norm)
    upwards = (normals > 0) == (gains > 0)[:, None, None, None]
    corner = torch.where(normals == 0, points, upwards.double())
    assert torch.allclose(points + moves, corner, atol=1e-12)
    assert (gains.abs() > most_gain(points, normals, gains.sign())).all()


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_moves_stay_in_the_box_in_float32_too(norm: str) -> None:
    points, normals, gains = problems(torch.float32)
    moves = smallest_move(points, normals, gains, norm)
    assert not moves[normals == 0].any()
    assert (points + moves).min() >= -1e-7
    assert (points + moves).max() <= 1 + 1e-7
    exact = smallest_move(points.double(), normals.double(), gains.double(), norm)
    order = {"linf": float("inf"), "l2": 2, "l1": 1}[norm]
    lengths = torch.linalg.vector_norm(moves.double().flatten(1), order, dim=1)
    assert torch.allclose(lengths, torch.linalg.vector_norm(exact.flatten(1), order, dim=1), rtol=1e-3)
    reached = torch.minimum(gains.abs(), most_gain(points, normals, gains.sign()))
    assert torch.allclose((moves * normals).flatten(1).sum(1).abs(), reached, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
@pytest.mark.parametrize("factor", [2.0**-70, 2.0**70])
def test_scaling_the_gradient_changes_nothing(norm: str, factor: float) -> None:
    points, normals, gains = problems(torch.float32)
    moves = smallest_move(points, normals, gains, norm)
    assert torch.equal(smallest_move(points, normals * factor, gains * factor, norm), moves)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_without_a_gradient_or_a_gain_nothing_moves(norm: str) -> None:
    points, normals, gains = problems(torch.float32)
    assert not smallest_move(points, torch.zeros_like(normals), gains, norm).any()
    assert not smallest_move(points, normals, torch.zeros_like(gains), norm).any()


def test_l1_moves_more_coordinates_when_the_steepest_do_not_suffice() -> None:
    """More than are tried first: 1,200 equal steps of which 900 are needed."""
    points, normals = torch.zeros(2, 3, 20, 20), torch.ones(2, 3, 20, 20)
    moves = smallest_move(points, normals, torch.tensor([900.0, 10.5]), "l1")
    assert (moves == 1).flatten(1).sum(1).tolist() == [900, 10]
    assert moves.flatten(1).sum(1).tolist() == [900, 10.5]
