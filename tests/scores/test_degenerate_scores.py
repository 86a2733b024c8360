"""Input on which a score is not defined: a flag says so, every other number stands, and nothing is NaN."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from outcome_tables import cell, item, table
from robustbench_eff.cli.main import app
from robustbench_eff.registry.perturbation_sets import IMAGENET_C, SEQUENCE_SETS
from robustbench_eff.reports import json_report
from robustbench_eff.scores.alexnet import AlexNet, measured, published
from robustbench_eff.scores.cell_groups import CellOutcomes
from robustbench_eff.scores.certificates import certificate_scores
from robustbench_eff.scores.clean import CONFIDENCE_METRICS, confidence_scores
from robustbench_eff.scores.corruptions import corruption_scores, relative_mean_corruption_error
from robustbench_eff.scores.score import Score
from robustbench_eff.scores.score_function import ScoreContext
from robustbench_eff.scores.sequences import mean_sequence_scores, sequence_scores
from robustbench_eff.storage.store import Store

NO_RELATIVE = "no relative mCE: AlexNet's error on fog is not above its error on clean images"


def corrupted() -> list[CellOutcomes]:
    return [
        item(
            cell(
                4,
                f"{name}(severity={severity})",
                benchmark="imagenet-c",
                configuration={"corruption": name, "severity": severity, "constants": "imagenet"},
            ),
            table(4, correct=[True, True, False, True]),
        )
        for name in IMAGENET_C
        for severity in range(1, 6)
    ]


def of_file(path: Path, fog: float, clean: float) -> AlexNet:
    path.write_text(json.dumps({"imagenet_c": {"clean_error": clean, "per_severity": {"fog": [fog] * 5}}}))
    return measured(path)


@pytest.mark.parametrize(("fog", "clean"), [(0.3, 0.3), (0.2, 0.3), (0.1, 0.1), (0.7, 0.7)])
def test_an_alexnet_that_fog_does_not_hurt_leaves_out_the_relative_mce_alone(
    tmp_path: Path, fog: float, clean: float
) -> None:
    alexnet = of_file(tmp_path / "alexnet.json", fog, clean)
    scores = {
        score.metric: score
        for score in corruption_scores(corrupted(), ScoreContext(alexnet=alexnet))
        if score.perturbation == "imagenet_c"
    }
    assert set(scores) == {"mean_accuracy", "mCE"}
    (flag,) = scores["mCE"].flags
    assert flag.startswith("no relative mCE: AlexNet's error on ") and " fog" in flag
    assert scores["mCE"].value is not None and np.isfinite(scores["mCE"].value)
    with pytest.raises(ValueError, match="no relative mCE"):
        relative_mean_corruption_error(dict.fromkeys(IMAGENET_C, 1.0), 0.1, alexnet)


def test_an_alexnet_just_above_its_clean_error_has_one(tmp_path: Path) -> None:
    alexnet = of_file(tmp_path / "alexnet.json", 0.301, 0.3)
    assert "fog" not in alexnet.not_above_clean and published().not_above_clean == ()
    alexnet = replace(published(), clean_error=0.3)
    scores = {score.metric: score for score in corruption_scores(corrupted(), ScoreContext(alexnet=alexnet))}
    assert "relative_mCE" in scores and scores["mCE"].flags == ()


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -0.1, 87.0])
def test_a_confidence_that_is_no_probability_leaves_out_calibration_and_says_how_many(wrong: float) -> None:
    outcomes = table(4, correct=[True] * 4, prediction_confidence=[0.5, wrong, 1.0, wrong])
    scores = confidence_scores(item(cell(4), outcomes))
    assert [score.metric for score in scores] == list(CONFIDENCE_METRICS)
    for score in scores:
        assert (score.value, score.low, score.high) == (None, None, None)
        assert score.flags == ("the confidence of 2 of 4 samples is not a number from 0 to 1",)


def sequence(frames: int, name: str = "rotate", compared_with: str = "previous", ranks: int = 5) -> CellOutcomes:
    configuration = {"sequence": f"{name}_sequence", "difficulty": 1, "constants": "imagenet", "frames": frames}
    configuration["compared_with"] = compared_with
    of = cell(2, f"{name}_sequence(difficulty=1)", benchmark="imagenet-p", configuration=configuration)
    return item(of, table(2, correct=[True, False], ranking=[list(range(ranks)) * frames] * 2))


@pytest.mark.parametrize(
    ("frames", "compared_with", "difficulties"),
    [(1, "previous", 0), (2, "previous", 1), (3, "previous", 2), (4, "previous", 3), (1, "first", 0), (2, "first", 1)],
)
def test_short_sequences_have_the_difficulties_for_which_there_are_frames(
    frames: int, compared_with: str, difficulties: int
) -> None:
    scores = sequence_scores(sequence(frames, compared_with=compared_with))
    assert sum(score.metric.startswith("flip_probability") for score in scores) == difficulties
    assert all(score.value is not None and np.isfinite(score.value) for score in scores)
    few = ("no flips: one frame has no other to be compared with",)
    assert scores[0].metric == "accuracy_all_frames" and scores[0].flags == (() if difficulties else few)


def test_means_of_short_sequences_exist_where_all_ten_have_the_frames() -> None:
    for frames, means in ((1, 0), (2, 1), (3, 2)):
        cells = [sequence(frames, name) for name in SEQUENCE_SETS["imagenet_p"].names]
        found = {score.metric for score in mean_sequence_scores(cells, ScoreContext())}
        assert sum(metric.startswith("mean_flip_probability") for metric in found) == means


def test_fewer_than_five_classes_have_flips_and_no_top5_distance() -> None:
    metrics = {score.metric for score in sequence_scores(sequence(4, ranks=3))}
    assert "flip_probability" in metrics and "top5_distance" not in metrics


def test_a_store_without_rankings_says_so() -> None:
    found = sequence(4)
    (score,) = sequence_scores(item(found.cell, table(2, correct=[True, False])))
    assert score.metric == "accuracy_all_frames" and score.flags == ("no flips: no rankings are stored",)


def test_a_certificate_without_a_radius_counts_as_none_and_says_so() -> None:
    smoothing = {"smoothing": {"sigma": 0.25, "n": 1000, "n0": 100, "alpha": 0.001, "version": 1}}
    of = cell(4, "smoothing(sigma=0.25, n=1000)", kind="certificate", configuration=smoothing)
    outcomes = table(4, correct=[True] * 4, prediction_confidence=[1.0] * 4, radius=[0.1, float("nan"), 0.1, 0.1])
    scores = {score.metric: score for score in certificate_scores([item(of, outcomes)], ScoreContext())}
    flag = "the radius of 1 of 4 samples is not a number, and they are not certified"
    assert scores["average_certified_radius"].value is None and scores["average_certified_radius"].flags == (flag,)
    assert scores["certified_accuracy@0.0"].value == 0.75 and scores["certified_accuracy@0.0"].flags == (flag,)
    empty = {score.metric: score.value for score in certificate_scores([item(of, table(0))], ScoreContext())}
    assert empty["average_certified_radius"] is None and empty["certified_accuracy@0.0"] is None


def test_no_nan_is_written_as_json(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    of = cell(3).identified()
    with store.lock():
        store.write_cell(of)
        store.write_shard(of.id, table(3, correct=[True] * 3, prediction_confidence=[0.5, float("nan"), 1.0]))
    done = CliRunner().invoke(app, ["score", str(store.place), "--json"])
    assert done.exit_code == 0 and "NaN" not in done.stdout
    rows = {row["metric"]: row for row in json.loads(done.stdout)["scores"]}
    assert rows["accuracy"]["value"] == 1 and rows["aurc"]["value"] is None and rows["aurc"]["flags"]
    (score,) = (
        Score(
            model="m",
            benchmark="b",
            perturbation="none",
            metric="accuracy",
            value=float("nan"),
            low=None,
            high=None,
            n=1,
            protocol=of.protocol,
        ),
    )
    with pytest.raises(ValueError, match="JSON"):
        json_report.json_object([score], "", [], [])
