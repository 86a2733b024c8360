"""Calibration errors and the risk-coverage curve against the formulas of their papers, in loops over samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from outcome_tables import cell, table
from reference_cases import Array, every_kind
from robustbench_eff.scores.calibration import expected_calibration_error, rms_calibration_error
from robustbench_eff.scores.score import Score
from robustbench_eff.scores.selective import aurc
from scored_cells import Case, assert_same_from_disk, case, one, scored


def expected_error(confidence: Array, correct: Array, bins: int = 15) -> float:
    """Guo et al. 2017, equation 3: bin m holds the confidences in ((m - 1) / M, m / M], the first also 0."""
    members: dict[int, list[int]] = {}
    edges = [float(Fraction(number, bins)) for number in range(bins + 1)]
    for sample, value in enumerate(confidence.tolist()):
        number = next(number for number in range(bins) if value <= edges[number + 1])
        members.setdefault(number, []).append(sample)
    error = 0.0
    for inside in members.values():
        accuracy = sum(bool(correct[sample]) for sample in inside) / len(inside)
        mean_confidence = sum(float(confidence[sample]) for sample in inside) / len(inside)
        error += len(inside) / len(confidence) * abs(accuracy - mean_confidence)
    return error


def rms_error(confidence: Array, correct: Array, per_bin: int = 100) -> float:
    """Hendrycks et al. 2019: sqrt(sum over bins of |B| / n times (accuracy - mean confidence) squared), equal bins.

    The rest forms a bin of its own; samples of one confidence share their accuracy.
    """
    order = sorted(range(len(confidence)), key=lambda sample: float(confidence[sample]))
    shared = shared_accuracy(confidence, correct)
    total = 0.0
    for start in range(0, len(order), per_bin):
        inside = order[start : start + per_bin]
        gap = sum(shared[sample] - float(confidence[sample]) for sample in inside) / len(inside)
        total += len(inside) / len(order) * gap**2
    return sqrt(total)


def risk_coverage_area(confidence: Array, correct: Array) -> float:
    """Geifman, Uziel & El-Yaniv 2019: the mean over all thresholds of the error of the samples kept, as a double loop.

    In expectation over the orders of samples of one confidence.
    """
    order = sorted(range(len(confidence)), key=lambda sample: -float(confidence[sample]))
    shared = shared_accuracy(confidence, correct)
    area = 0.0
    for kept in range(1, len(order) + 1):
        risk = 0.0
        for sample in order[:kept]:
            risk += 1 - shared[sample]
        area += risk / kept / len(order)
    return area


def shared_accuracy(confidence: Array, correct: Array) -> list[float]:
    """The accuracy of the samples with the confidence of each sample."""
    by_confidence: dict[float, list[bool]] = {}
    for value, right in zip(confidence.tolist(), correct.tolist(), strict=True):
        by_confidence.setdefault(value, []).append(bool(right))
    return [sum(by_confidence[value]) / len(by_confidence[value]) for value in confidence.tolist()]


REFERENCES: dict[str, tuple[Callable[..., float], Callable[..., float]]] = {
    "expected_calibration_error": (expected_error, expected_calibration_error),
    "rms_calibration_error": (rms_error, rms_calibration_error),
    "aurc": (risk_coverage_area, aurc),
}
ANSWERS = list(every_kind(seed=20, repeats=2))
STORED = {f"confident {number}": answers for number, answers in enumerate(ANSWERS[::2])}


def case_of(name: str) -> Case:
    labels, predictions, confidence = STORED[name]
    given = {"label": labels, "clean_prediction": predictions, "prediction": predictions}
    outcomes = table(len(labels), correct=labels == predictions, prediction_confidence=confidence, **given)
    return case(name, cell(len(labels)), outcomes)


@pytest.fixture(scope="module")
def found() -> Mapping[str, list[Score]]:
    return scored(map(case_of, STORED))


@pytest.mark.parametrize("metric", REFERENCES)
def test_scores_of_confidence_follow_the_papers(metric: str, found: Mapping[str, list[Score]]) -> None:
    """The store holds float32."""
    reference, _ = REFERENCES[metric]
    for model, (labels, predictions, confidence) in STORED.items():
        expected = reference(confidence.astype(np.float32), labels == predictions)
        assert one(found[model], metric=metric).value == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("metric", REFERENCES)
def test_measures_follow_the_papers(metric: str, dtype: Any) -> None:
    reference, ours = REFERENCES[metric]
    for labels, predictions, confidence in ANSWERS:
        given, correct = confidence.astype(dtype), labels == predictions
        assert ours(given, correct) == pytest.approx(reference(given, correct), abs=1e-9)


@pytest.mark.parametrize("bins", [1, 2, 4, 8, 15, 16])
def test_an_expected_error_with_confidences_on_the_edges_of_bins(bins: int) -> None:
    random = np.random.default_rng(21)
    for n in (1, 2, 10, 50) * 10:
        confidence, correct = random.integers(bins + 1, size=n) / bins, random.random(n) < 0.6
        found = expected_calibration_error(confidence, correct, bins)
        assert found == pytest.approx(expected_error(confidence, correct, bins), abs=1e-12)


@pytest.mark.parametrize("per_bin", [1, 2, 7, 60, 100])
def test_an_rms_error_with_full_and_partial_bins(per_bin: int) -> None:
    random = np.random.default_rng(22)
    for n in (1, 2, 59, 60, 61, 240) * 4:
        for confidence in (random.random(n), random.integers(5, size=n) / 4):
            correct = random.random(n) < confidence
            found = rms_calibration_error(confidence, correct, per_bin)
            assert found == pytest.approx(rms_error(confidence, correct, per_bin), abs=1e-7)


def test_a_store_gives_the_same(tmp_path: Path) -> None:
    assert_same_from_disk(tmp_path, map(case_of, list(STORED)[5::40]))
