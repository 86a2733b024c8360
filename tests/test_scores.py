"""Intervals against an independent reference, scores against hand counts."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from outcome_tables import attack_cell, cell, item
from robustbench_eff.core import spec
from robustbench_eff.core.statistics import median_interval, proportion_interval
from robustbench_eff.scores.accuracy import accuracy_scores
from robustbench_eff.scores.compute import store_scores
from robustbench_eff.scores.distances import distance_scores
from robustbench_eff.storage.outcomes import SCHEMA
from robustbench_eff.storage.store import Store
from running import accuracies

CELL = attack_cell(4, "fgsm(eps=1/255)", 1 / 255, protocol="test, 4 images", seed=0)


@settings(deadline=None)
@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_of_a_proportion_is_scipys_exact_one(counts: tuple[int, int]) -> None:
    successes, n = counts
    reference = binomtest(successes, n).proportion_ci(method="exact")
    assert proportion_interval(successes, n) == pytest.approx((reference.low, reference.high), abs=1e-9)


def test_an_interval_of_impossible_counts_is_refused() -> None:
    for successes, n in ((1, 0), (-1, 3), (4, 3)):
        with pytest.raises(ValueError, match="0 <= successes <= n"):
            proportion_interval(successes, n)


def rows(*correct: bool, flag: str = ""):
    number = len(correct)
    columns = {field.name: [0] * number for field in SCHEMA}
    columns |= {"index": range(number), "sample_id": [str(row) for row in range(number)], "flag": [flag] * number}
    columns |= {name: [[]] * number for name in ("ranking", "votes")}
    columns["note"] = [""] * number
    columns |= {"correct": list(correct), "correct_8bit": [True] * number}
    return pa.table({name: pa.array(list(values)).cast(SCHEMA.field(name).type) for name, values in columns.items()})


def test_a_score_is_what_the_rows_say() -> None:
    plain, rounded = accuracy_scores(item(CELL, rows(True, False, True, True)))
    assert (plain.metric, plain.value, plain.n) == ("robust_accuracy", 0.75, 4)
    assert (plain.low, plain.high) == proportion_interval(3, 4)
    assert (rounded.metric, rounded.value) == ("robust_accuracy_8bit", 1.0)
    assert str(plain.protocol) == "test, 4 images · seed 0"
    assert plain.flags == ()


def test_missing_rows_and_objections_are_flags() -> None:
    (score, _) = accuracy_scores(item(CELL, rows(True, False, flag="left_threat_model")))
    assert score.flags == ("incomplete: 2 of 4", "left_threat_model: 2")
    assert score.n == 2


def test_nothing_measured_is_no_number() -> None:
    (score, _) = accuracy_scores(item(CELL, rows()))
    assert (score.value, score.low, score.high, score.n) == (None, None, None, 0)


def test_a_store_gives_one_score_a_metric_and_cell(digits_store: Path) -> None:
    found = {(score.perturbation, score.metric): score for score in accuracies(store_scores(Store(digits_store)))}
    assert len(found) == 5
    clean = found["none", "accuracy"]
    assert clean.n == 360
    assert clean.value >= 0.97
    assert found["fgsm(eps=8/255)", "robust_accuracy"].value <= clean.value


def distances(norm: str, values: list[float], *, wrong: int = 0, survived: int = 0):
    """A cell that looked for the nearest image: some wrong when clean, then `values`, then survivors."""
    number = wrong + len(values) + survived
    table = rows(*[row >= number - survived for row in range(number)])
    columns = {
        "label": [1] * number,
        "clean_prediction": [0] * wrong + [1] * (number - wrong),
        f"distance_{norm}": [0.0] * wrong + values + [9.0] * survived,
    }
    for name, column in columns.items():
        position = table.schema.get_field_index(name)
        table = table.set_column(position, name, pa.array(column).cast(SCHEMA.field(name).type))
    return table


def test_the_median_distance_counts_wrong_samples_as_zero_and_survivors_as_infinitely_far() -> None:
    search = attack_cell(4, "fmn", None, "l2", configuration={"eps": None})
    assert search.is_minimum_norm
    (score,) = distance_scores(item(search, distances("l2", [1.0, 2.0, 3.0, 4.0, 5.0], wrong=2, survived=2)))
    assert (score.metric, score.value, score.n) == ("median_distance_l2", 3.0, 9)
    assert (score.low, score.high, score.searched_to) == (0.0, math.inf, None)
    (score,) = distance_scores(item(search, distances("l2", [1.0], survived=3)))
    assert (score.value, score.low, score.high) == (math.inf, 0.0, math.inf)


def test_a_security_curve_says_how_far_it_searched() -> None:
    curve = attack_cell(4, "security_curve", 16 / 255, configuration={"eps": [8 / 255, 16 / 255]})
    *_, median = distance_scores(item(curve, distances("linf", [0.01], survived=19)))
    assert (median.value, median.low, median.high, median.searched_to) == (math.inf, math.inf, math.inf, 16 / 255)


def test_nothing_measured_has_no_median_and_says_how_far_it_would_have_searched() -> None:
    curve = attack_cell(4, "security_curve", 16 / 255, configuration={"eps": [8 / 255, 16 / 255]})
    *at_radii, median = distance_scores(item(curve, distances("linf", [])))
    assert (median.value, median.low, median.high, median.n) == (None, None, None, 0)
    assert [(score.value, score.n) for score in at_radii] == [(None, 0)] * 3


@pytest.mark.parametrize(("norm", "unknown"), [("linf", math.nan), ("l0", -1)])
def test_unknown_distances_are_a_flag_and_not_a_number(norm: str, unknown: float) -> None:
    search = attack_cell(3, "foreign", None, norm, configuration={"eps": None})
    (score,) = distance_scores(item(search, distances(norm, [1.0, unknown, 2.0])))
    assert (score.value, score.low, score.high) == (None, None, None)
    assert score.flags == ("unknown distances: 1",)


def test_a_security_curve_counts_what_lies_on_a_sphere_as_inside() -> None:
    radii = [0.5 / 255, 1 / 255, 8 / 255]
    curve = attack_cell(4, "security_curve", 8 / 255, configuration={"eps": radii})
    on_spheres = [radius + 3e-8 for radius in radii]
    points = distance_scores(item(curve, distances("linf", on_spheres, wrong=1, survived=1)))[1:-1]
    assert [score.metric for score in points] == [f"robust_accuracy@{spec.literal(eps)}" for eps in radii]
    assert [score.value for score in points] == [3 / 5, 2 / 5, 1 / 5]
    assert (points[0].low, points[0].high) == proportion_interval(3, 5)


def test_attacks_in_one_ball_are_scored_as_accuracy() -> None:
    assert not attack_cell(4, "pgd", 0.1, "l2", configuration={"eps": 0.1}).is_minimum_norm
    assert not cell(4).is_minimum_norm


def test_the_interval_of_a_median_covers_it_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    for n in (7, 30, 101):
        draws = generator.exponential(size=(2000, n))
        intervals = [median_interval(row) for row in draws]
        covered = np.mean([low <= np.log(2) <= high for low, high in intervals])
        assert 0.945 <= covered <= 0.99
    assert median_interval(np.arange(5.0)) == (0.0, np.inf)
