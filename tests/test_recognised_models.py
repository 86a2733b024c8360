"""A model never gets the stored numbers of another one, and is refused if its answers depend on the batch."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from robustbench_eff import evaluate, load_classifier
from robustbench_eff.core.errors import ModelError
from robustbench_eff.core.flags import AT_CHANCE
from robustbench_eff.evaluation import answers
from robustbench_eff.models.classifier import Classifier
from robustbench_eff.storage.answers import Answers, variant
from robustbench_eff.storage.remote_files import Files
from robustbench_eff.storage.store import Store

LIMIT = 24
VARIABLE = "ROBUST_EVAL_TEST_SHIFT"


class Wrapped(nn.Module):
    """`digits_standard` with a change before or after it."""

    def __init__(self, digits_standard: Classifier, before: Any = None, after: Any = None) -> None:
        super().__init__()
        self.network, self.before, self.after = copy.deepcopy(digits_standard), before, after

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        logits: Tensor = self.network(images if self.before is None else self.before(images))
        return logits if self.after is None else self.after(logits)


def shifted_by_the_environment(logits: Tensor) -> Tensor:
    return logits + float(os.environ[VARIABLE]) * torch.arange(10.0)


def accuracy(module: nn.Module, store: Path) -> tuple[float | None, tuple[str, ...]]:
    classifier = load_classifier(module.eval(), input_size=32, device="cpu")
    result = evaluate(classifier, benchmarks=["digits"], attacks=["fgsm"], limit=LIMIT, device="cpu", store=store)
    score = next(score for score in result.scores if score.metric == "accuracy")
    return score.value, score.flags


def test_what_no_hash_reaches_is_told_apart_by_the_answers(
    digits_standard: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = []
    for shift in ("0", "4", "0", "4"):
        monkeypatch.setenv(VARIABLE, shift)
        module = Wrapped(digits_standard, after=shifted_by_the_environment)
        apart = accuracy(module, tmp_path / f"apart {len(results)}")
        results.append(accuracy(module, tmp_path / "together"))
        assert results[-1][0] == apart[0]
    another = ["another model than the one stored under the same hash: it answers otherwise to the same images"]
    assert [[flag for flag in flags if not flag.startswith(AT_CHANCE)] for _, flags in results] == [
        [],
        another,
        [],
        another,
    ]
    assert results[0] == results[2] and results[1] == results[3] and results[0][0] != results[1][0]
    assert len(Store(tmp_path / "together").cells()) == 4


def test_two_models_of_one_run_with_one_hash_are_refused(
    digits_standard: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifiers = []
    for _ in range(2):
        monkeypatch.setenv(VARIABLE, "0")
        classifiers.append(
            load_classifier(Wrapped(digits_standard, after=shifted_by_the_environment).eval(), input_size=32)
        )
    asked, answers_of = [], answers._answers_of

    def shifting(classifier: Classifier, *arguments: Any) -> Answers:
        asked.append(classifier)
        monkeypatch.setenv(VARIABLE, "0" if len(asked) == 1 else "4")
        return answers_of(classifier, *arguments)

    monkeypatch.setattr(answers, "_answers_of", shifting)
    with pytest.raises(ModelError, match=r"two models of this run have one hash.*\nEvaluate them in separate runs"):
        evaluate(*classifiers, benchmarks=["digits"], attacks=["fgsm"], limit=LIMIT, device="cpu", store=tmp_path)


def test_a_model_that_cannot_be_hashed_is_computed_anew_and_says_so(
    digits_standard: Classifier, tmp_path: Path
) -> None:
    with (tmp_path / "log").open("w") as log:
        module = Wrapped(digits_standard)
        module.log = log  # type: ignore[assignment]
        first, second = (accuracy(module, tmp_path / "store") for _ in range(2))
    assert first == second
    assert first[1] == ("not identified, so never reused: log (_io.TextIOWrapper) cannot be hashed",)
    assert len(Store(tmp_path / "store").cells()) == 4


def over_the_batch(images: Tensor) -> Tensor:
    return images - 0.5 * images.mean(0)


def seeded_inside(images: Tensor) -> Tensor:
    return images + 0.3 * torch.randn(images.shape, generator=torch.Generator().manual_seed(0))


def by_position(logits: Tensor) -> Tensor:
    return logits + torch.arange(float(len(logits)))[:, None] * torch.arange(10.0)


CHANGES: dict[str, dict[str, Any]] = {
    "mean over the batch": {"before": over_the_batch},
    "noise seeded inside forward": {"before": seeded_inside},
    "position in the batch": {"after": by_position},
    "batch norm without statistics": {"before": nn.BatchNorm2d(3, track_running_stats=False)},
}


@pytest.mark.parametrize("change", CHANGES)
def test_answers_that_depend_on_the_batch_are_refused(digits_standard: Classifier, tmp_path: Path, change: str) -> None:
    with pytest.raises(ModelError, match=r"different logits .*\n.*--adapt 'batches\(size=1\)'"):
        accuracy(Wrapped(digits_standard, **CHANGES[change]), tmp_path)
    assert not Store(tmp_path).cells()


class Adapting(nn.Module):
    """A network that moves a parameter whenever it is asked."""

    def __init__(self, digits_standard: Classifier) -> None:
        super().__init__()
        self.network, self.shift = copy.deepcopy(digits_standard), nn.Parameter(torch.zeros(10))

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, and move the parameter."""
        with torch.no_grad():
            self.shift += 1e-9
        logits: Tensor = self.network(images) + self.shift
        return logits


def test_a_network_that_changes_its_weights_is_refused(digits_standard: Classifier, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="changes its own weights or buffers when it is asked"):
        accuracy(Adapting(digits_standard), tmp_path)


def test_noise_that_depends_on_nothing_but_the_draw_passes_and_noise_over_the_batch_does_not(
    digits_standard: Classifier, tmp_path: Path
) -> None:
    accuracy(Wrapped(digits_standard, before=lambda images: images + 0.05 * torch.randn_like(images)), tmp_path)
    noisy = Wrapped(digits_standard, before=lambda images: over_the_batch(images + 0.05 * torch.randn_like(images)))
    with pytest.raises(ModelError, match="on average over 64 draws"):
        accuracy(noisy, tmp_path)


def test_answers_of_other_hardware_are_the_same_model_and_a_third_of_a_percent_is_another(tmp_path: Path) -> None:
    files = Files.at(tmp_path)
    logits = np.random.default_rng(0).normal(size=(8, 10)).astype(np.float32)

    def asked(values: np.ndarray, key: str = "noise") -> int:
        return variant(files, "digest", "32×32", Answers(logits={key: values}, tolerance=1e-3), 7)

    assert asked(logits) == 0
    assert asked(logits * (1 + 1e-5)) == 0
    assert asked(logits * 1.01) == 1
    assert asked(logits[:, :9]) == 2
    assert asked(logits, "of a benchmark") == 0
    assert variant(files, "another digest", "32×32", Answers(logits={"noise": logits * 2}, tolerance=1e-3), 7) == 0
    assert [asked(logits * 1.01), asked(logits)] == [1, 0]
