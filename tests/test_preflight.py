"""What a run needs is checked before any work, and bad settings are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from torch import nn

from robustbench_eff import evaluate, load_classifier
from robustbench_eff.core.errors import MissingInputs, UsageError
from robustbench_eff.evaluation.settings import DEFAULT_STORE, Settings
from robustbench_eff.models.classifier import Classifier
from robustbench_eff.models.request import ModelRequest
from running import accuracies, run


def test_everything_missing_is_listed_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("robustbench_eff.system.network.reachable", lambda host: False)
    monkeypatch.setattr("robustbench_eff.system.network.cached_on_hugging_face", lambda *names: False)
    with pytest.raises(MissingInputs) as caught:
        evaluate("effnet_b7_advprop", "debiased_resnet50", "digits_standard", store=tmp_path / "store")
    assert [item.what.split(" (")[0] for item in caught.value.missing] == [
        "weights of effnet_b7_advprop",
        "weights of debiased_resnet50",
        "dataset 'imagenet'",
    ]
    assert "robust-eval --model effnet_b7_advprop --weights FILE --data imagenet=PATH" in caught.value.hint
    assert not (tmp_path / "store").exists()


def test_skip_missing_runs_what_is_there_and_says_what_was_not(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("robustbench_eff.system.network.reachable", lambda host: False)
    monkeypatch.setattr("robustbench_eff.system.network.cached_on_hugging_face", lambda *names: False)
    models = ("effnet_b7_advprop", "digits_standard")
    result = run(tmp_path / "store", *models, attacks=["none"], limit=4, skip_missing=True)
    assert [score.model for score in accuracies(result.scores)] == ["digits_standard"]
    assert len(result.missing) == 2
    with pytest.raises(MissingInputs):
        run(tmp_path / "store", models[0], skip_missing=True)


def test_a_benchmark_with_other_classes_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "seven.npz", x=np.zeros((7, 32, 32, 3), np.uint8), y=list("abcdefg"))
    with pytest.raises(UsageError, match="digits_standard has 10 outputs, but mine has 7 classes"):
        run(tmp_path / "store", benchmarks=["mine"], data={"mine": str(tmp_path / "seven.npz")})
    model = load_classifier(nn.Sequential(nn.Flatten(), nn.Linear(3072, 3)).eval(), input_size=32)
    with pytest.raises(UsageError, match="has 3 outputs, but digits has 10 classes"):
        run(tmp_path / "store", model, benchmarks=["digits"])


def test_a_custom_model_must_say_its_benchmark(tmp_path: Path) -> None:
    model = load_classifier(nn.Sequential(nn.Flatten(), nn.Linear(3072, 10)).eval(), input_size=32)
    with pytest.raises(UsageError, match="Name one with --benchmark"):
        run(tmp_path / "store", model)


def test_a_users_own_data_is_evaluated_when_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", x=np.zeros((6, 32, 32, 3), np.uint8), y=[0, 1, 2, 0, 1, 2])
    result = run(tmp_path / "store", attacks=["none"], data={"mine": str(tmp_path / "mine.npz")})
    assert [score.benchmark for score in accuracies(result.scores)] == ["digits", "mine"]
    assert accuracies(result.scores)[1].n == 6


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"suite": "standrad"}, "Did you mean 'standard'"),
        ({"benchmarks": ["digit"]}, "Did you mean 'digits'"),
        ({"attacks": ["pgd(eps=8)"]}, "Did you mean 8/255"),
        ({"limit": 0}, "limit must be at least 1"),
        ({"device": "tpu9"}, "Unknown device"),
        ({"device": "cuda:99"}, "this machine has"),
    ],
)
def test_bad_settings_are_refused_before_any_work(tmp_path: Path, options: dict, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        evaluate("digits_standard", **{"store": tmp_path / "store", **options})
    assert not (tmp_path / "store").exists()


def test_a_suite_of_the_user_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("title: t\nparts:\n  - benchmarks: [digits]\n    perturbations: ['fgsm(eps=2/255)']\n")
    result = run(tmp_path / "store", suite=str(path), attacks=(), limit=4)
    assert [score.perturbation for score in accuracies(result.scores)] == ["none", "fgsm(eps=2/255)", "fgsm(eps=2/255)"]
    path.write_text("title: t\nparts:\n  - benchmark: [digits]\n")
    with pytest.raises(UsageError, match=r"parts\.0\.benchmarks: Field required"):
        run(tmp_path / "store", suite=str(path))


def test_the_same_thing_named_twice_is_done_once(tmp_path: Path, digits_standard: Classifier) -> None:
    options = {"benchmarks": ["digits", "digits"], "attacks": ["fgsm", "fgsm(eps=4/255)"], "limit": 4}
    result = evaluate(digits_standard, digits_standard, "digits_standard", store=tmp_path / "store", **options)
    assert [score.metric for score in accuracies(result.scores)] == [
        "accuracy",
        "robust_accuracy",
        "robust_accuracy_8bit",
    ]


def test_settings_and_options_do_not_mix(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Give settings or limit, not both"):
        evaluate("digits_standard", settings=Settings(store=tmp_path / "s"), limit=4)


def test_a_set_named_in_the_config_file_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "mine.npz", x=np.zeros((3, 32, 32, 3), np.uint8), y=[0, 1, 2])
    (tmp_path / "robust-eval.yaml").write_text("data:\n  mine: mine.npz\n")
    result = run(tmp_path / "store", attacks=["none"], benchmarks=["mine"])
    assert [score.benchmark for score in accuracies(result.scores)] == ["mine"]


def test_the_missing_command_keeps_what_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("robustbench_eff.system.network.reachable", lambda host: False)
    request = ModelRequest(
        name="timm:resnet18", weights=Path("w.safetensors"), mean=(0.5,), std=(0.5,), model_args={"a": 1}
    )
    with pytest.raises(MissingInputs) as caught:
        evaluate(
            *(request, "debiased_resnext101_cutmix"), attacks=["fgsm"], limit=5, store=Path(DEFAULT_STORE),
            device="cpu", batch_size=4, skip_missing=True,
        )  # fmt: skip
    assert caught.value.hint.splitlines() == [
        "With local files:",
        "  robust-eval --model timm:resnet18 --weights FILE --mean 0.5 --std 0.5 --model-arg a=1 "
        "--attack fgsm --data imagenet=PATH --limit 5 --device cpu --batch-size 4 --skip-missing",
    ]


def test_all_parts_of_a_suite_that_name_a_benchmark_count(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    part = "  - benchmarks: [{}]\n    perturbations: [{}]\n"
    path.write_text("title: t\nparts:\n" + part.format("digits", "fgsm") + part.format("digits", "pgd"))
    result = run(tmp_path / "store", suite=str(path), attacks=(), limit=4)
    assert {score.perturbation for score in accuracies(result.scores)} == {"none", "fgsm(eps=4/255)", "pgd(eps=4/255)"}
    path.write_text("title: t\nparts:\n" + part.format("imagenet", "fgsm"))
    with pytest.raises(UsageError, match="does not name digits"):
        run(tmp_path / "store", suite=str(path), attacks=(), benchmarks=["digits"])
