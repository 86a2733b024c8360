"""How scores are written: percentages, lengths, intervals, and what is not there."""

from __future__ import annotations

import pytest

from robustbench_eff.core.protocol import Protocol
from robustbench_eff.registry.metrics import metric_of
from robustbench_eff.scores.number_text import interval, number, percent, with_interval
from robustbench_eff.scores.score import Score


def score(metric: str, value: float | None, low: float | None = None, high: float | None = None) -> Score:
    words = {"model": "m", "benchmark": "b", "perturbation": "none", "protocol": Protocol(description="p")}
    return Score(metric=metric, value=value, low=low, high=high, n=8, **words)


@pytest.mark.parametrize("metric", ["top5_distance", "top5_distance_difficulty_2", "mean_top5_distance"])
def test_distances_of_ranks_are_no_percentages(metric: str) -> None:
    assert with_interval(score(metric, 1.5, 1.25, 2.0)) == "1.50 [1.25, 2.00]"
    assert number(0.5, metric_of(metric).unit, sign="+") == "+0.50"


@pytest.mark.parametrize("metric", ["accuracy", "mCE", "mT5D", "flip_probability"])
def test_everything_else_is_in_percent(metric: str) -> None:
    assert with_interval(score(metric, 0.5, 0.25, 0.75), ends=0) == "50.0 [25, 75]"
    assert interval(score(metric, 0.5, 0.25, 0.75)) == "[25.00, 75.00]"
    assert number(-0.125, metric_of(metric).unit, sign="+") == "-12.50"


def test_an_absence_is_not_a_zero() -> None:
    assert with_interval(None) == ""
    assert with_interval(score("accuracy", None)) == interval(score("accuracy", None)) == percent(None) == "-"
    assert number(None, "number") == "-"
