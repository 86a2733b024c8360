"""Distances of the closest adversarial images, and security curves, against NumPy and sweeps over radii."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
import pytest
from scipy.integrate import trapezoid

from outcome_tables import attack_cell, table
from reference_cases import SIZES
from robustbench_eff.scores.score import Score
from scored_cells import Case, assert_same_from_disk, case, one, scored

KINDS = ("random", "all wrong when clean", "none found", "all the same", "on the radii", "duplicated samples")
CURVES = ((8 / 255,), (0.5 / 255, 1 / 255, 8 / 255), (8 / 255, 1 / 255, 2 / 255), (0.25, 0.5, 1.0))
NORMS = ("linf", "l2", "l1", "l0")


def cases() -> Iterator[Case]:
    random = np.random.default_rng(50)
    for number, (kind, n, repeat) in enumerate(product(KINDS, SIZES, range(8))):
        radii = CURVES[repeat % len(CURVES)]
        norm = "l0" if repeat == 7 else NORMS[number % 3]
        labels = random.integers(3, size=n)
        clean = np.where(random.random(n) < random.choice([0.5, 1.0]), labels, 3)
        distance = random.exponential(max(radii) / 2, size=n)
        survived = random.random(n) < random.choice([0.0, 0.2, 0.6])
        if kind == "all wrong when clean":
            clean = np.full(n, 3)
        elif kind == "none found":
            clean, survived = labels, np.ones(n, bool)
        elif kind == "all the same":
            distance = np.full(n, distance[0])
        elif kind == "on the radii":
            distance = random.choice(radii, size=n)
        elif kind == "duplicated samples":
            same = random.integers(max(n // 3, 1), size=n)
            distance, survived, labels, clean = distance[same], survived[same], labels[same], clean[same]
        if norm == "l0":
            distance = np.ceil(distance * 255)
        right = (labels == clean) & survived
        given = {"label": labels, "clean_prediction": clean, "correct": right, f"distance_{norm}": distance}
        curve = repeat % 2 == 0 and norm != "l0"
        eps, configuration = (max(radii), {"eps": list(radii)}) if curve else (None, {"eps": None})
        of = attack_cell(n + repeat // 4, "security_curve" if curve else "fmn", eps, norm, configuration=configuration)
        yield case(f"{kind} {number}", of, table(n, **given))


def closest(of: Case) -> list[float]:
    """0 where the clean image is wrong already, infinity where nothing was found."""
    return [
        0.0
        if row["clean_prediction"] != row["label"]
        else math.inf
        if row["correct"]
        else float(row[f"distance_{of.cell.norm}"])
        for row in of.rows
    ]


def accuracy_within(distances: list[float], radius: float) -> float:
    """The fraction of samples without an adversarial image inside; float32 may have put it a little outside."""
    return fmean(distance > radius + 1e-6 for distance in distances)


def area(of: Case) -> float:
    """The trapezoids under the accuracies at no perturbation and at every radius, over the largest radius."""
    distances, radii = closest(of), sorted(of.cell.radii)
    accuracies = [fmean(distance > 0 for distance in distances), *(accuracy_within(distances, eps) for eps in radii)]
    return float(trapezoid(accuracies, [0.0, *radii])) / radii[-1]


def area_of_steps(of: Case) -> float:
    """The same as the mean over a fine sweep of the line between neighbouring radii."""
    distances, radii = closest(of), [0.0, *sorted(of.cell.radii)]
    accuracies = [fmean(distance > 0 for distance in distances)]
    accuracies += [accuracy_within(distances, eps) for eps in radii[1:]]
    edges = np.linspace(0, radii[-1], 200_001)
    return float(np.interp((edges[1:] + edges[:-1]) / 2, radii, accuracies).mean())


CASES = list(cases())
CURVED = [of for of in CASES if of.cell.radii]


@pytest.fixture(scope="module")
def found() -> Mapping[str, list[Score]]:
    return scored(CASES)


@pytest.mark.parametrize("metric", ["median_distance"])
def test_the_median_distance_is_that_of_a_sorted_list(metric: str, found: Mapping[str, list[Score]]) -> None:
    endless = 0
    for of in CASES:
        score, expected = one(found[of.model], metric=f"{metric}_{of.cell.norm}"), median(closest(of))
        endless += math.isinf(expected)
        if math.isinf(expected):
            assert score.value in (None, math.inf), of.model
        else:
            assert score.value == pytest.approx(expected, rel=1e-12)
    assert len(CASES) / 10 < endless < len(CASES) / 2


@pytest.mark.parametrize("metric", ["robust_accuracy"])
def test_accuracy_within_a_radius_is_a_count(metric: str, found: Mapping[str, list[Score]]) -> None:
    for of in CURVED:
        points = [score for score in found[of.model] if score.metric.startswith(f"{metric}@")]
        expected = [accuracy_within(closest(of), eps) for eps in of.cell.radii]
        assert [score.value for score in points] == pytest.approx(expected, abs=1e-12), of.model


@pytest.mark.parametrize(("metric", "reference"), [("security_curve_area", area)])
def test_the_area_under_a_security_curve(metric: str, reference: Any, found: Mapping[str, list[Score]]) -> None:
    for number, of in enumerate(CURVED):
        value = one(found[of.model], metric=metric).value
        assert value == pytest.approx(reference(of), abs=1e-12), of.model
        if number % 10 == 0:
            assert value == pytest.approx(area_of_steps(of), abs=1e-5)


def test_without_rows_there_is_no_distance() -> None:
    of = attack_cell(3, "fmn", None, "l2", configuration={"eps": None})
    assert one(scored([case("empty", of, table(0))])["empty"], metric="median_distance_l2").value is None


def test_a_store_gives_the_same(tmp_path: Path) -> None:
    assert_same_from_disk(tmp_path, CASES[::29])
