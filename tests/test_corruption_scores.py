"""Corruption errors against published ones and against hand counts."""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import outcome_tables
from robustbench_eff.registry.perturbation_sets import IMAGENET_C, IMAGENET_C_BAR
from robustbench_eff.scores import alexnet
from robustbench_eff.scores.bounded_means import mean_interval
from robustbench_eff.scores.corruptions import (
    corruption_scores,
    mean_corruption_error,
    relative_mean_corruption_error,
)
from robustbench_eff.scores.score_function import ScoreContext


def test_alexnet_against_itself_is_one() -> None:
    errors, clean = alexnet.published().errors, alexnet.published().clean_error
    assert mean_corruption_error(errors) == 1.0
    assert relative_mean_corruption_error(errors, clean) == 1.0


@pytest.mark.shared
def test_published_models_give_their_published_mce(shared: Path) -> None:
    """RobustBench's 12 models, from their accuracies per corruption and severity; the AlexNet is its own run of it."""
    errors: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    cells: dict[str, int] = defaultdict(int)
    published = {}
    with (shared.parent / "published" / "robustbench.csv").open() as file:
        for row in csv.DictReader(file):
            if row["benchmark"] == "imagenet-c" and row["metric"] == "mce":
                published[row["model"]] = float(row["value"])
            elif row["benchmark"].startswith("imagenet-c/"):
                _, name, _ = row["benchmark"].split("/")
                errors[row["model"]][name] += 1 - float(row["value"]) / 100
                cells[row["model"]] += 1
    complete = [model for model in published if cells[model] == 75]
    assert len(complete) == 12
    (own_run,) = (errors[model] for model in complete if model.endswith("/AlexNet"))
    measured = replace(alexnet.published(), errors={name: own_run[name] for name in alexnet.published().errors})
    for model in complete:
        assert 100 * mean_corruption_error(errors[model], measured) == pytest.approx(published[model], abs=0.01)
        assert 100 * mean_corruption_error(errors[model]) == pytest.approx(published[model], abs=0.03)


def test_scores_of_samples_average_to_the_score_of_the_model() -> None:
    alexnet_baseline = alexnet.published().errors
    random = np.random.default_rng(0)
    sums = {name: random.integers(0, 6, size=200) for name in alexnet_baseline}
    clean = random.random(200) < 0.3
    mean = {name: values.mean() for name, values in sums.items()}
    assert mean_corruption_error(sums).mean() == pytest.approx(mean_corruption_error(mean))
    relative = relative_mean_corruption_error(sums, clean)
    assert relative.mean() == pytest.approx(relative_mean_corruption_error(mean, clean.mean()))


def test_a_flag_about_a_corruption_is_on_the_scores_that_contain_it() -> None:
    names = ["frost_published" if name == "frost" else name for name in (*IMAGENET_C, *IMAGENET_C_BAR)]
    named = [(name, severity) for name in names for severity in range(1, 6)]
    cells = []
    for name, severity in [*named, ("fog", 3), ("saturate", 1), ("saturate", 1)]:
        configuration = {"corruption": name, "severity": severity, "constants": "imagenet"}
        of = outcome_tables.cell(4, name, benchmark="imagenet-c", configuration=configuration)
        cells.append(outcome_tables.item(of, outcome_tables.table(4, correct=[True] * 4, clean_prediction=[0] * 4)))
    flags = {(score.perturbation, score.metric): score.flags for score in corruption_scores(cells, ScoreContext())}
    twice = "fog 3 was read from several files, of which the last counts"
    of_mean = ("frost with the published pictures", twice)
    assert flags["imagenet_c", "mean_accuracy"] == flags["imagenet_c", "mCE"] == of_mean
    assert flags["imagenet_c_bar", "mean_accuracy"] == flags["snow", "CE"] == ()
    assert flags["fog", "CE"] == (twice,) and flags["frost", "CE"] == of_mean[:1]


def test_the_interval_of_many_values_is_that_of_a_normal_mean() -> None:
    values = 3 * np.random.default_rng(1).beta(2, 5, size=4000)
    half = 1.96 * values.std() / np.sqrt(len(values))
    expected = (values.mean() - half, values.mean() + half)
    assert mean_interval(values, high=3.0) == pytest.approx(expected, abs=0.1 * half)
