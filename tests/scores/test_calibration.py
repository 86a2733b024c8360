"""Calibration errors against loops over bins, and what their intervals hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robustbench_eff.scores.calibration import calibration_intervals, expected_calibration_error, rms_calibration_error
from robustbench_eff.scores.selective import aurc

answers = st.lists(st.tuples(st.integers(0, 60), st.booleans()), min_size=1, max_size=60)
"""Confidence in sixtieths, so that there are ties and the edges of 15 bins are met."""


def expected_by_loop(confidence: np.ndarray, correct: np.ndarray, bins: int = 15) -> float:
    total, edges = 0.0, np.linspace(0, 1, bins + 1)
    for number in range(bins):
        low, high = edges[number], edges[number + 1]
        inside = (confidence > low if number else confidence >= low) & (confidence <= high)
        if inside.any():
            total += inside.sum() * abs(confidence[inside].mean() - correct[inside].mean())
    return total / len(confidence)


def rms_by_loop(confidence: np.ndarray, correct: np.ndarray, per_bin: int) -> float:
    order = np.argsort(confidence, kind="stable")
    shares = np.array([correct[confidence == value].mean() for value in confidence[order]])
    total = 0.0
    for start in range(0, len(order), per_bin):
        inside = slice(start, start + per_bin)
        gap = confidence[order][inside].mean() - shares[inside].mean()
        total += len(shares[inside]) * gap**2
    return np.sqrt(total / len(order))


@given(answers, st.integers(1, 20))
def test_both_errors_agree_with_loops_over_bins(drawn: list[tuple[int, bool]], number: int) -> None:
    confidence, correct = np.array([c for c, _ in drawn]) / 60, np.array([right for _, right in drawn])
    ours = expected_calibration_error(confidence, correct, bins=number)
    assert ours == pytest.approx(expected_by_loop(confidence, correct, number), abs=1e-12)
    ours = rms_calibration_error(confidence, correct, per_bin=number)
    assert ours == pytest.approx(rms_by_loop(confidence, correct, number), abs=1e-7)


@given(answers, st.randoms(use_true_random=False))
def test_the_order_of_the_samples_does_not_matter(drawn: list[tuple[int, bool]], random: object) -> None:
    shuffled = list(drawn)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    for error in (expected_calibration_error, lambda *given: rms_calibration_error(*given, per_bin=7), aurc):
        one, other = (
            error(np.array([c for c, _ in rows]) / 60, np.array([right for _, right in rows]))
            for rows in (drawn, shuffled)
        )
        assert one == pytest.approx(other, abs=1e-12)


def test_by_hand() -> None:
    confidence, correct = np.array([0.95, 0.95, 0.55, 0.55]), np.array([True, False, True, True])
    assert expected_calibration_error(confidence, correct) == pytest.approx((2 * 0.45 + 2 * 0.45) / 4)
    assert rms_calibration_error(confidence, correct, per_bin=2) == pytest.approx(0.45)
    assert rms_calibration_error(confidence, correct) == pytest.approx(0.0)


def test_an_edge_belongs_to_the_bin_below_it() -> None:
    correct = np.array([True, False])
    assert expected_calibration_error(np.array([0.5, 0.6]), correct, bins=2) == pytest.approx((0.5 + 0.6) / 2)
    assert expected_calibration_error(np.array([0.0, 0.5]), correct, bins=2) == pytest.approx(0.5 / 2)
    assert expected_calibration_error(np.array([1.0, 0.6]), correct, bins=2) == pytest.approx(0.6 / 2)


def test_the_last_bin_counts() -> None:
    """In the published code a model that is wrong only where it is sure has no error."""
    confidence = np.concatenate([np.zeros(100), np.ones(100)])
    assert rms_calibration_error(confidence, np.zeros(200)) == pytest.approx(np.sqrt(0.5))


@pytest.mark.parametrize(
    ("confidence", "correct", "message"),
    [
        ([0.5], [True, False], "the same length"),
        ([1.5], [True], r"in \[0, 1\]"),
        ([np.nan], [True], "in"),
        ([], [], "same"),
    ],
)
def test_impossible_input_is_refused(confidence: list[float], correct: list[bool], message: str) -> None:
    for error in (expected_calibration_error, rms_calibration_error, calibration_intervals, aurc):
        with pytest.raises(ValueError, match=message):
            error(np.array(confidence), np.array(correct))  # type: ignore[operator]


def simulated(random: np.random.Generator, samples: int = 360) -> tuple[np.ndarray, np.ndarray]:
    """A perfectly calibrated model, where the bias is worst."""
    confidence = random.beta(8, 1.3, size=samples)
    return confidence, random.random(samples) < confidence


def test_intervals_are_of_the_errors_expected_on_so_many_samples_and_not_of_the_true_ones() -> None:
    random = np.random.default_rng(1)
    figures = (expected_calibration_error, rms_calibration_error, aurc)
    expected = np.mean([[figure(*one) for figure in figures] for one in (simulated(random) for _ in range(1000))], 0)
    intervals = np.array([calibration_intervals(*simulated(random)) for _ in range(100)])
    covered = ((intervals[:, :, 0] <= expected) & (expected <= intervals[:, :, 1])).mean(0)
    assert (covered >= 0.93).all()
    assert expected[0] > 0.03  # the true ECE is 0


@given(answers)
def test_an_interval_holds_its_own_value(drawn: list[tuple[int, bool]]) -> None:
    """With ties, and groups that two bins share."""
    confidence, correct = np.array([value / 60 for value, _ in drawn]), np.array([right for _, right in drawn])
    figures = (expected_calibration_error, rms_calibration_error, aurc)
    for figure, (low, high) in zip(figures, calibration_intervals(confidence, correct), strict=True):
        assert 0 <= low <= figure(confidence, correct) + 1e-9 <= high + 2e-9 <= 1 + 2e-9
