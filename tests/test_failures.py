"""An attack that cannot run ends its own row, with its reason, and none of the others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from robustbench_eff import evaluate, load_classifier
from robustbench_eff.cli.main import app
from robustbench_eff.core.errors import EvaluationError, RobustEvalError
from robustbench_eff.models.request import ModelRequest
from robustbench_eff.scores.compute import failures, store_scores
from robustbench_eff.scores.masking_checks import store_verdicts
from robustbench_eff.storage.store import Store

OPAQUE = """
import torch
from robustbench_eff import load_classifier

class Opaque(torch.nn.Module):
    '''Gives no gradients.'''
    def __init__(self):
        super().__init__()
        self.body = load_classifier("digits_standard")
    def forward(self, images):
        return self.body(images).detach()

class Broken(Opaque):
    '''Returns NaN on images that are not noise.'''
    def forward(self, images):
        smooth = (images[..., 1:] - images[..., :-1]).abs().mean() < 0.2
        return self.body(images) * (float("nan") if smooth else 1)

def opaque():
    return Opaque().eval()

def broken():
    return Broken().eval()
"""
ATTACKS = ("pgd(eps=8/255)", "square(eps=8/255, queries=30)", "fgsm(eps=8/255)")
REASON = "does not depend on its input through autograd"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "opaque.py"
    path.write_text(OPAQUE)
    return path


def model(file: Path, name: str) -> ModelRequest:
    return ModelRequest(name=f"{file}:{name}", input_size=32, num_classes=10)


def rows(scores) -> dict[tuple[str, str], tuple]:
    return {
        (score.model.rpartition(":")[2], score.perturbation): (score.value, score.n, score.flags)
        for score in scores
        if score.metric in ("accuracy", "robust_accuracy")
    }


@pytest.mark.parametrize("workers", [1, 2])
def test_attacks_after_a_failed_one_run_and_every_engine_says_the_same(
    tmp_path: Path, file: Path, workers: int
) -> None:
    options = {"benchmarks": ["digits"], "attacks": ATTACKS, "limit": 24, "store": tmp_path / "store"}
    result = evaluate(model(file, "opaque"), workers=workers, precision="float32", **options)
    assert [item.cell.perturbation for item in result.failed] == [ATTACKS[0], ATTACKS[2]]
    assert all(REASON in item.error.message for item in result.failed)
    found = rows(result.scores)
    assert found["opaque", ATTACKS[1]][1] == 24
    assert found["opaque", ATTACKS[1]][2] == ()
    for attack in (ATTACKS[0], ATTACKS[2]):
        value, n, flags = found["opaque", attack]
        assert (value, n) == (None, 0)
        assert any(flag.startswith("failed: ") and REASON in flag for flag in flags)
    with pytest.raises(EvaluationError, match=rf"2 evaluations failed. The first: .*{REASON}"):
        result.check()
    (manifest,) = Store(tmp_path / "store").runs()
    assert manifest["status"] == "finished, 2 of 4 failed"
    assert manifest["failed"].keys() == {item.cell.id for item in result.failed}
    store = Store.existing(tmp_path / "store")
    assert rows(store_scores(store, verdicts=store_verdicts(store))) == found


def test_a_model_whose_clean_images_fail_leaves_the_others(tmp_path: Path, file: Path) -> None:
    options = {"benchmarks": ["digits"], "attacks": ATTACKS[1:2], "limit": 8, "store": tmp_path / "store"}
    result = evaluate(model(file, "broken"), "digits_standard", **options)
    messages = [item.error.message for item in result.failed]
    assert len(messages) == 2
    assert "NaN or infinite logits" in messages[0]
    assert "was not run: its clean images could not be evaluated" in messages[1]
    found = rows(result.scores)
    assert found["digits_standard", ATTACKS[1]][1] == 8
    assert found["broken", "none"][0] is None
    assert found["broken", ATTACKS[1]][0] is None
    with pytest.raises(RobustEvalError, match="NaN or infinite logits"):
        evaluate(model(file, "broken"), **(options | {"store": tmp_path / "alone"}))


def test_a_later_run_that_succeeds_clears_the_failure(tmp_path: Path) -> None:
    class Moody(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = load_classifier("digits_standard")

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.body(images).detach() if MOOD[0] else self.body(images)

    MOOD = [True]
    options = {"benchmarks": ["digits"], "attacks": ["fgsm(eps=8/255)"], "limit": 8, "store": tmp_path / "store"}
    classifier = load_classifier(Moody().eval(), input_size=32)
    assert len(evaluate(classifier, **options).failed) == 1
    MOOD[0] = False
    again = evaluate(classifier, **options)
    assert not again.failed
    assert not any(flag.startswith("failed") for score in again.scores for flag in score.flags)
    assert failures(Store.existing(tmp_path / "store")) == {}


def test_the_command_prints_the_failed_row_and_exits_with_1(tmp_path: Path, file: Path) -> None:
    arguments = ["--model", f"{file}:opaque", "--input-size", "32", "--num-classes", "10", "--benchmark", "digits"]
    arguments += ["--limit", "8", "--store", str(tmp_path / "store"), "--device", "cpu"]
    arguments += [part for attack in ATTACKS[:2] for part in ("--attack", attack)]
    answer = CliRunner().invoke(app, [*arguments, "--json"])
    assert answer.exit_code == 1
    printed = json.loads(answer.stdout[answer.stdout.index("{") : answer.stdout.rindex("}") + 1])
    (failed,) = printed["failed"]
    assert failed["perturbation"] == ATTACKS[0]
    assert REASON in failed["message"]
    assert "no_grad" in failed["hint"]
    table = CliRunner().invoke(app, arguments)
    assert table.exit_code == 1
    text = " ".join(table.output.replace("│", " ").split())
    assert "1 evaluation failed. The first:" in text
    assert "square(eps=8/255, queries=30)" in text
