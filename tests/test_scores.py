"""Intervals against an independent reference, scores against hand counts."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from robustbench_eff.outcomes import SCHEMA
from robustbench_eff.scores.accuracy import accuracy_scores
from robustbench_eff.scores.from_store import store_scores
from robustbench_eff.scores.intervals import wilson
from robustbench_eff.store import Store

CELL = {
    "model": "m",
    "benchmark": "b",
    "perturbation": "fgsm(eps=1/255)",
    "protocol": "test, 4 images",
    "configuration": {},
    "samples": 4,
    "seed": 0,
}


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_agrees_with_scipy(counts: tuple[int, int]) -> None:
    successes, n = counts
    reference = binomtest(successes, n).proportion_ci(method="wilson")
    assert wilson(successes, n) == pytest.approx((reference.low, reference.high), abs=1e-12)


def test_wilson_refuses_impossible_counts() -> None:
    for successes, n in ((1, 0), (-1, 3), (4, 3)):
        with pytest.raises(ValueError, match="0 <= successes <= n"):
            wilson(successes, n)


def rows(*correct: bool, flag: str = ""):
    number = len(correct)
    columns = {field.name: [0] * number for field in SCHEMA}
    columns |= {"index": range(number), "sample_id": [str(row) for row in range(number)], "flag": [flag] * number}
    columns |= {"correct": list(correct), "correct_8bit": [True] * number}
    import pyarrow as pa

    return pa.table({name: pa.array(list(values)).cast(SCHEMA.field(name).type) for name, values in columns.items()})


def test_a_score_is_what_the_rows_say() -> None:
    plain, rounded = accuracy_scores(CELL, rows(True, False, True, True))
    assert (plain.metric, plain.value, plain.n) == ("robust_accuracy", 0.75, 4)
    assert (plain.low, plain.high) == wilson(3, 4)
    assert (rounded.metric, rounded.value) == ("robust_accuracy_8bit", 1.0)
    assert plain.protocol == "test, 4 images · seed 0"
    assert plain.flags == ()


def test_missing_rows_and_objections_are_flags() -> None:
    (score, _) = accuracy_scores(CELL, rows(True, False, flag="left_threat_model"))
    assert score.flags == ("incomplete: 2 of 4", "left_threat_model: 2")
    assert score.n == 2


def test_nothing_measured_is_no_number() -> None:
    (score, _) = accuracy_scores(CELL, rows())
    assert (score.value, score.low, score.high, score.n) == (None, None, None, 0)


def test_a_store_gives_one_score_a_metric_and_cell(digits_store: Path) -> None:
    found = {(score.perturbation, score.metric): score for score in store_scores(Store(digits_store))}
    assert len(found) == 5
    clean = found["none", "accuracy"]
    assert clean.n == 360
    assert clean.value >= 0.97
    assert found["fgsm(eps=8/255)", "robust_accuracy"].value <= clean.value
