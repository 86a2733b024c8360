"""The one-pixel paper's numbers: success with any target, confidence of the successes, and the audit of its claim."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from outcome_tables import attack_cell, item, table
from robustbench_eff.cli.main import app
from robustbench_eff.core.statistics import proportion_interval
from robustbench_eff.leaderboards import audit as auditing
from robustbench_eff.leaderboards.entry import Entry, Result
from robustbench_eff.leaderboards.published import entries, select
from robustbench_eff.scores.one_pixel import UNLIKE_THE_PAPER, one_pixel_scores

TARGETED = "one_pixel(pixels=1, targets=9)"
FRAGILE = '''
import torch

class Fragile(torch.nn.Module):
    """Class 1 if some pixel is bright, else class 0: one pixel is always enough."""

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.tensor(4.0))

    def forward(self, images):
        bright = images.amax((1, 2, 3)) - 0.8
        others = torch.full((len(images), 8), -9.0, device=images.device)
        return self.scale * torch.cat([-bright[:, None], bright[:, None], others], 1)

def build():
    return Fragile()
'''


def scored(labels: list[int], clean: list[int], correct: list[bool], confidence: list[float], **given: object):
    n = len(labels)
    outcomes = table(n, label=labels, clean_prediction=clean, correct=correct, prediction_confidence=confidence)
    cell = attack_cell(given.pop("samples", n), given.pop("text", TARGETED), 1.0, "l0", **given)
    return {score.metric: score for score in one_pixel_scores(item(cell, outcomes))}


def test_by_hand() -> None:
    scores = scored([0, 0, 0, 1, 2], [0, 0, 0, 0, 2], [False, False, True, False, True], [0.9, 0.5, 1.0, 0.7, 1.0])
    rate, confidence = scores["any_target_success_rate"], scores["mean_confidence"]
    assert (rate.value, rate.n) == (0.5, 4) and (rate.low, rate.high) == pytest.approx(proportion_interval(2, 4))
    assert confidence.value == pytest.approx(0.7) and confidence.n == 2 and UNLIKE_THE_PAPER in confidence.flags
    assert "one success per image" in UNLIKE_THE_PAPER and "all successful pairs" in UNLIKE_THE_PAPER
    assert "first misclassification" in UNLIKE_THE_PAPER and "end of its search" in UNLIKE_THE_PAPER
    assert confidence.low is not None and 0.05 <= confidence.low < 0.7 < confidence.high <= 1


def test_without_a_success_there_is_no_confidence_and_without_a_correct_sample_no_rate() -> None:
    failed = scored([0, 0], [0, 0], [True, True], [0.9, 0.9])
    assert (failed["any_target_success_rate"].value, failed["mean_confidence"].value) == (0.0, None)
    wrong = scored([0, 0], [1, 1], [False, False], [0.9, 0.9])
    assert (wrong["any_target_success_rate"].value, wrong["any_target_success_rate"].n) == (None, 0)


def test_an_incomplete_cell_says_so_and_other_attacks_have_no_such_score() -> None:
    scores = scored([0], [0], [False], [0.9], samples=10)
    assert "incomplete: 1 of 10" in scores["any_target_success_rate"].flags
    assert scored([0], [0], [False], [0.9], text="square(eps=8/255)") == {}
    assert scored([0], [0], [False], [0.9], configuration={"surrogate": "other"}) == {}


def test_a_confidence_that_a_softmax_rounded_up_stays_within_its_bounds() -> None:
    scores = scored([0] * 3, [0] * 3, [False] * 3, [1.0000001] * 3)
    assert scores["mean_confidence"].value == 1.0


def test_claims_of_an_attack_are_compared_with_models_measured_under_it() -> None:
    fields = {"metric": "any_target_success_rate", "low": 0.2, "high": 0.4, "n": 20, "protocol": "test"}
    mine = Entry(
        model="mine",
        measured=(
            Result(benchmark="cifar10", perturbation=TARGETED, value=0.3, **fields),
            Result(benchmark="cifar10", perturbation="one_pixel(pixels=3, targets=9)", value=0.9, **fields),
            Result(benchmark="imagenet", perturbation="one_pixel(pixels=1)", value=0.1, **fields),
        ),
    )
    differences = auditing.audit([*entries(select(models=("one-pixel attack",))), mine])
    assert [(each.model, each.benchmark, each.theirs) for each in differences] == [
        ("mine", "cifar10", 0.6797),
        ("mine", "imagenet", 0.1604),
    ]
    assert differences[0].flags == ("theirs is of other models: one-pixel attack",) and differences[0].is_certain


def test_a_run_gives_the_numbers_and_the_audit_compares_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fragile.py").write_text(FRAGILE)
    images = np.random.default_rng(0).integers(60, 150, (6, 32, 32, 3), dtype=np.uint8)
    np.savez("test.npz", images=images, labels=[0, 0, 0, 0, 0, 3])
    words = [
        "--model",
        "fragile.py:build",
        "--input-size",
        "32",
        "--benchmark",
        "cifar10",
        "--data",
        "cifar10=test.npz",
    ]
    words += ["--attack", "one_pixel(targets=9)", "--limit", "6", "--store", "store", "--num-classes", "10"]
    run = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
    assert run.exit_code == 0, run.output
    assert "any_target_success_rate in %" in run.output and "mean_confidence in %" in run.output
    answer = CliRunner().invoke(app, ["leaderboard", "audit", "store", "--out", "audit.csv"])
    assert answer.exit_code == 0, answer.output
    lines = (tmp_path / "audit.csv").read_text().splitlines()
    assert any(f'"{TARGETED}",any_target_success_rate,1.0,5' in line and ",0.6797," in line for line in lines), lines
    assert any("mean_confidence" in line and ",0.7403," in line and UNLIKE_THE_PAPER in line for line in lines)


def test_a_confidence_that_is_not_a_number_leaves_the_rate() -> None:
    scores = scored([0, 0], [0, 0], [False, False], [0.9, float("nan")])
    assert scores["any_target_success_rate"].value == 1.0 and scores["mean_confidence"].value is None
    assert "the confidence of 1 of 2 samples is not a number from 0 to 1" in scores["mean_confidence"].flags
