"""What clean images say: accuracy by class and confidence, ReaL labels, and effective robustness, from outcomes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from outcome_tables import cell, item, table
from robustbench_eff.cli.main import app
from robustbench_eff.core.statistics import proportion_interval
from robustbench_eff.scores.accuracy import accuracy_scores
from robustbench_eff.scores.class_scores import class_scores
from robustbench_eff.scores.clean import confidence_scores
from robustbench_eff.scores.effective import Count, baselines, effective_robustness, effective_scores
from robustbench_eff.scores.real_labels import real_labels, real_scores
from robustbench_eff.scores.score_function import ScoreContext


def test_every_clean_cell_has_all_of_them_with_intervals(digits_store: Path) -> None:
    result = CliRunner().invoke(app, ["score", str(digits_store), "--json"])
    clean = {one["metric"]: one for one in json.loads(result.output)["scores"] if one["perturbation"] == "none"}
    assert list(clean) == [
        "accuracy",
        "balanced_accuracy",
        "worst_class_accuracy",
        "expected_calibration_error",
        "rms_calibration_error",
        "aurc",
    ]
    for one in clean.values():
        assert 0 <= one["low"] <= one["value"] <= one["high"] <= 1, one["metric"]
        assert one["n"] == 360
    assert clean["worst_class_accuracy"]["value"] < clean["balanced_accuracy"]["value"]


def test_scores_of_confidence_want_to_be_low() -> None:
    outcomes = table(4, correct=[True, True, False, True], prediction_confidence=[1.0, 0.9, 0.8, 1.0 + 1e-7])
    clean = item(cell(4), outcomes)
    found = {score.metric: score.higher_is_better for score in class_scores(clean) + confidence_scores(clean)}
    assert {metric for metric, better in found.items() if not better} == {
        "expected_calibration_error",
        "rms_calibration_error",
        "aurc",
    }


def test_a_cell_that_was_not_begun_has_no_number() -> None:
    clean = item(cell(4), table(0))
    (score,) = accuracy_scores(clean) + class_scores(clean) + confidence_scores(clean)
    assert (score.metric, score.value, score.n, score.flags) == ("accuracy", None, 0, ("incomplete: 0 of 4",))


def test_real_labels_are_for_46837_images_and_may_be_several() -> None:
    labels = real_labels()
    assert (len(labels), sum(map(bool, labels))) == (50_000, 46_837)
    assert all(0 <= output < 1000 for of in labels for output in of)
    assert max(map(len, labels)) > 1


def test_real_accuracy_by_hand() -> None:
    """A guess that is one of several labels is right; an image without labels does not count."""
    labels = real_labels()
    several = next(row for row, of in enumerate(labels) if len(of) > 1)
    without = next(row for row, of in enumerate(labels) if not of)
    single = next(row for row, of in enumerate(labels) if of == {of_one for of_one in of if len(of) == 1} and of)
    guesses = [max(labels[several]), 0, next(iter(labels[single])) ^ 1]
    names = [f"n01440764/ILSVRC2012_val_{row + 1:08d}.JPEG" for row in (several, without, single)]
    outcomes = table(3, sample_id=names, prediction=guesses, prediction_confidence=[0.5] * 3)
    (score,) = real_scores(item(cell(3, benchmark="imagenet"), outcomes))
    assert (score.benchmark, score.metric, score.value, score.n) == ("imagenet-real", "accuracy", 0.5, 2)
    assert (score.low, score.high) == proportion_interval(1, 2)
    assert "ReaL labels, images without one left out" in str(score.protocol)
    assert real_scores(item(cell(3), outcomes)) == [], "only for ImageNet"


def test_real_labels_need_the_names_of_the_images() -> None:
    mixed = table(2, sample_id=["ILSVRC2012_val_00000001.JPEG", "mine.png"])
    (score,) = real_scores(item(cell(2, benchmark="imagenet"), mixed))
    assert score.flags == ("1 images have other names than ILSVRC2012_val_…",)
    assert real_scores(item(cell(2, benchmark="imagenet"), table(2))) == []
    (absent,) = real_scores(item(cell(50_000, benchmark="imagenet"), table(50_000)))
    assert (absent.value, absent.n) == (None, 0)
    assert "other names" in absent.flags[0]


def shifted(benchmark: str, right: int, n: int, **given):
    return item(cell(n, benchmark=benchmark, **given), table(n, correct=np.arange(n) < right))


def test_effective_robustness_is_beyond_the_line() -> None:
    clean, sketch = shifted("imagenet", 760, 1000), shifted("imagenet-sketch", 300, 1000)
    (score,) = effective_scores([clean, sketch], ScoreContext())
    line = baselines()["imagenet-sketch"]
    logit = line.slope * np.log(0.76 / 0.24) + line.intercept
    assert score.value == pytest.approx(0.3 - 1 / (1 + np.exp(-logit)))
    assert (score.low, score.high) == effective_robustness(line, Count(300, 1000), Count(760, 1000))[1:]
    assert "beyond the line of 87 standard models" in str(score.protocol)
    assert "through imagenet with n = 1000" in str(score.protocol)


def test_each_shift_is_compared_with_its_own_clean_images() -> None:
    renditions = shifted("imagenet-r", 40, 100)
    assert effective_scores([renditions, shifted("imagenet", 76, 100)], ScoreContext()) == [], "not all of ImageNet"
    (score,) = effective_scores([renditions, shifted("imagenet-r-clean", 90, 100)], ScoreContext())
    assert "of 82 standard models" in str(score.protocol)
    assert effective_scores([shifted("imagenet-a", 5, 100), shifted("imagenet-a-clean", 90, 100)], ScoreContext()) == []


def test_no_effective_robustness_of_another_model_or_of_unfinished_cells() -> None:
    sketch = shifted("imagenet-sketch", 300, 1000)
    assert effective_scores([shifted("imagenet", 760, 1000, model_digest="other"), sketch], ScoreContext()) == []
    unfinished = item(cell(2000, benchmark="imagenet"), table(1000, correct=[True] * 1000))
    assert effective_scores([unfinished, sketch], ScoreContext()) == []
