"""Every row of the table of scores passes the battery, the battery can fail, and its cells reach all metrics."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from metric_sets import PUBLISHED_ONLY, WITH_PEOPLE
from robustbench_eff.core.metric import METRICS, Metric, metric_of
from robustbench_eff.registry.metrics import find_metric
from robustbench_eff.registry.scores import SCORES
from robustbench_eff.scores.build_score import score_of
from robustbench_eff.scores.cell_groups import CellOutcomes
from robustbench_eff.scores.score import Score
from robustbench_eff.scores.score_function import CellScores, GroupScores, ScoreContext, ScoreFunction
from robustbench_eff.testing import SCORE_CHECKS
from robustbench_eff.testing.scores import made_up_scores


@pytest.mark.parametrize("check", SCORE_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", SCORES)
def test_every_score_keeps_the_contract(name: str, check: Callable[[ScoreFunction], None]) -> None:
    check(SCORES[name].load())


@pytest.mark.parametrize("name", SCORES)
def test_the_made_up_cells_give_every_function_something_to_score(name: str) -> None:
    assert any(score.value is not None for score in made_up_scores(SCORES[name].load()))


def test_the_rows_compute_every_metric_that_is_not_only_published() -> None:
    scores = [score for row in SCORES.own.values() for score in made_up_scores(row.load())]
    computed = {metric.name for score in scores if (metric := metric_of(score.metric)) is not None}
    assert computed == set(METRICS) - WITH_PEOPLE - PUBLISHED_ONLY


@pytest.mark.parametrize("name", [name for name in SCORES.own if name != "real_labels"])
def test_a_model_that_is_always_right_is_better_in_every_metric_than_one_that_never_is(name: str) -> None:
    """Left out: ReaL labels, with which made-up labels have nothing in common, and texture decisions.

    Texture decisions describe a model, as shape decisions do: published entries have one direction for both.
    """
    always, never = (made_up_scores(SCORES[name].load(), accuracy=accuracy) for accuracy in (1.0, 0.0))
    assert [score.metric for score in always] == [score.metric for score in never]
    for right, wrong in zip(always, never, strict=True):
        if right.value is None or wrong.value is None or right.metric == "texture_decisions":
            continue
        if right.value != wrong.value:
            assert (right.value > wrong.value) == right.higher_is_better, right.metric


GAP = Metric(name="acme/gap", summary="made up for this test", low=-1.0)


def scoring(metric: str, value: float, interval: tuple[float, float] = (0.0, 1.0), column: str = "correct"):
    """A function of a cell that always has the same score."""

    def compute(item: CellOutcomes) -> list[Score]:
        item.column(column)
        return [score_of(item, metric, value if len(item) else None, interval)]

    return compute


def good(**changes: object) -> CellScores:
    return replace(CellScores(compute=scoring("acme/gap", 0.5), kinds=("clean",), metrics=(GAP,)), **changes)


def never_empty(item: CellOutcomes) -> list[Score]:
    return [score_of(item, "acme/gap", 0.0, (0.0, 0.0))]


def never_empty_over_cells(cells: Sequence[CellOutcomes], context: ScoreContext) -> list[Score]:
    return [score_of(cells[0], "accuracy", 0.0, (0.0, 0.0))]


@pytest.mark.parametrize("check", SCORE_CHECKS, ids=lambda check: check.__name__)
def test_the_function_that_the_broken_ones_are_made_from_is_good(check: Callable[[ScoreFunction], None]) -> None:
    check(good())


@pytest.mark.parametrize(
    ("check", "function", "message"),
    [
        ("declares_its_metrics", good(metrics=()), "acme/gap is not a metric"),
        ("declares_its_metrics", good(metrics=(replace(GAP, name="gap"),)), "gap must be named vendor/name"),
        ("declares_its_metrics", good(metrics=(replace(GAP, summary=""),)), "needs a summary"),
        ("reads_only_columns_that_it_declares", good(columns=("colour",)), "columns of the outcomes"),
        ("reads_only_columns_that_it_declares", good(compute=scoring("acme/gap", 0.5, column="margin")), "margin"),
        ("stays_within_the_bounds_of_its_metrics", good(compute=scoring("acme/gap", 1.5)), "above its bound"),
        ("stays_within_the_bounds_of_its_metrics", good(compute=scoring("acme/gap", -1.5)), "below its bound"),
        ("stays_within_the_bounds_of_its_metrics", good(compute=scoring("acme/gap", -0.5)), "outside its interval"),
        ("has_finite_numbers", good(compute=scoring("acme/gap", math.nan)), "value of acme/gap is not a finite number"),
        ("has_finite_numbers", good(compute=scoring("acme/gap", math.inf)), "value of acme/gap is not a finite number"),
        (
            "has_finite_numbers",
            good(compute=scoring("acme/gap", 0.5, (0.0, math.nan))),
            "high of acme/gap is not",
        ),
        ("has_no_number_without_samples", good(compute=never_empty), "a value without any sample"),
        (
            "has_no_number_without_samples",
            GroupScores(compute=never_empty_over_cells, kinds=("attack",), over="store"),
            "a value without any sample",
        ),
    ],
)
def test_every_check_can_fail(check: str, function: ScoreFunction, message: str) -> None:
    (battery_check,) = (item for item in SCORE_CHECKS if item.__name__ == check)
    with pytest.raises((AssertionError, KeyError), match=message):
        battery_check(function)


def test_a_name_with_arguments_is_the_metric_that_it_starts_with() -> None:
    for name, metric in {
        "robust_accuracy@8/255": "robust_accuracy",
        "robust_accuracy_8bit": "robust_accuracy_8bit",
        "median_distance_l2": "median_distance",
        "shape_bias of airplane": "shape_bias",
        "mean_top5_distance_difficulty_3": "mean_top5_distance",
    }.items():
        found = find_metric(name)
        assert found is not None
        assert found.name == metric
    assert find_metric("robust_accuracy_16bit") is None
