"""An attack found on one model and judged on another."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from robustbench_eff import evaluate
from robustbench_eff.cli.main import app
from robustbench_eff.core.errors import MissingInputs, UsageError
from robustbench_eff.models.request import ModelRequest
from running import accuracies

MODELS = """
import torch
from robustbench_eff import load_classifier
def blind():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3072, 10))
def twin():
    return load_classifier("digits_standard")
def fewer():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3072, 9))
"""


@pytest.fixture
def models(tmp_path: Path) -> Path:
    (tmp_path / "models.py").write_text(MODELS)
    return tmp_path / "models.py"


def robust(store: Path, *attacks: str) -> list[float]:
    scores = accuracies(evaluate("digits_standard", attacks=attacks, limit=32, store=store).scores)
    return [score.value for score in scores if score.metric == "robust_accuracy"]


def test_images_of_a_twin_break_and_those_of_a_stranger_do_not(models: Path, tmp_path: Path) -> None:
    attack = "pgd(eps=16/255)"
    own, twin, blind = robust(
        tmp_path / "store", attack, f"{attack} from {models}:twin", f"{attack} from {models}:blind"
    )
    assert own < 0.2
    assert twin < 0.2
    assert blind > 0.9


def test_a_surrogate_must_be_there_and_know_the_classes(models: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingInputs, match=r"nowhere\.py"):
        robust(tmp_path / "store", "pgd from nowhere.py:build")
    with pytest.raises(UsageError, match="has 9 classes, digits_standard has 10"):
        robust(tmp_path / "store", f"pgd from {models}:fewer")


def test_a_missing_surrogate_can_be_skipped(tmp_path: Path) -> None:
    options = {"limit": 8, "store": tmp_path / "store", "skip_missing": True}
    result = evaluate("digits_standard", attacks=["fgsm", "pgd from nowhere.py:build"], **options)
    assert [score.perturbation for score in accuracies(result.scores)] == ["none", *["fgsm(eps=4/255)"] * 2]
    assert len(result.missing) == 1


def test_compare_says_how_attacks_transfer_both_ways(models: Path, tmp_path: Path) -> None:
    other, attack = f"{models}:blind", "pgd(eps=16/255)"
    for model, surrogate in (("digits_standard", other), (other, "digits_standard")):
        options = {"benchmarks": ["digits"], "limit": 32, "store": tmp_path / "store"}
        request = ModelRequest(name=model, input_size=32) if model == other else model
        scores = accuracies(evaluate(request, attacks=[f"{attack} from {surrogate}"], **options).scores)
    blind = next(score for score in scores if score.metric == "robust_accuracy")
    words = ["compare", "digits_standard", other, "--store", str(tmp_path / "store")]
    output = CliRunner().invoke(app, words).output
    right = round(blind.value * 32)
    assert re.search(rf"of 32 images that pgd\(eps=16/255.*\) found on A, B classifies {right} correctly", output)
    assert re.search(r"of 32 images that pgd\(eps=16/255.*\) found on B, A classifies \d+ correctly", output)
    (row, *_) = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    assert row["differ"] >= row["only_a"] + row["only_b"]
