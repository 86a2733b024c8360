"""The command as a user types it: output, exit codes, messages."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from robustbench_eff.cli import app
from robustbench_eff.cli.common import error_console, output_console
from robustbench_eff.scores.clean import CONFIDENCE_METRICS

MODEL = ["--model", "digits_standard"]
COMMANDS = [
    "certify",
    "compare",
    "corrupt",
    "train",
    "sweep",
    "score",
    "plan",
    "report",
    "trials",
    "conflict",
    "convert",
]
COMMANDS += [f"list {name}" for name in ("models", "benchmarks", "corruptions", "stylisers", "defenses")]
COMMANDS += [
    f"leaderboard {name}" for name in ("build", "entry", "site", "serve", "validate", "audit", "import", "export")
]
QUICK = [*MODEL, "--attack", "fgsm(eps=8/255)", "--limit", "16"]


@dataclass(frozen=True)
class Answer:
    returncode: int
    stdout: str
    stderr: str


def robust_eval(*words: str, folder: Path, **variables: str) -> Answer:
    """Run the command in this process, from `folder`; a bug is raised, not printed."""
    with contextlib.chdir(folder):
        environment = {"COLUMNS": "160", "NO_COLOR": "1", **variables}
        found = CliRunner().invoke(app, list(words), prog_name="robust-eval", env=environment)
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return Answer(found.exit_code, found.stdout, found.stderr)


def test_an_evaluation_prints_a_table_and_the_path_of_the_outcomes(tmp_path: Path) -> None:
    answer = robust_eval(*QUICK, folder=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert "fgsm(eps=8/255)" in answer.stdout
    assert "(1) test, first 16 of 360 images, 32×32 as it is" in answer.stdout
    assert "Outcomes: robust-eval-store" in answer.stdout
    assert "mean 0.5 0.5 0.5, std 0.5 0.5 0.5" in answer.stderr
    assert (tmp_path / "robust-eval-store" / "store.json").is_file()


def test_json_prints_one_object_and_nothing_else(tmp_path: Path) -> None:
    answer = robust_eval(*QUICK, "--json", folder=tmp_path)
    found = json.loads(answer.stdout)
    assert answer.stdout.count("\n") == 1
    assert set(found) == {"checks", "scores", "store", "missing", "failed", "incomplete_means", "requirements"}
    assert [(score["perturbation"], score["metric"]) for score in found["scores"]] == [
        *(
            ("none", metric)
            for metric in ("accuracy", "balanced_accuracy", "worst_class_accuracy", *CONFIDENCE_METRICS)
        ),
        ("fgsm(eps=8/255)", "robust_accuracy"),
        ("fgsm(eps=8/255)", "robust_accuracy_8bit"),
        ("fgsm(eps=8/255)", "balanced_robust_accuracy"),
        ("fgsm(eps=8/255)", "worst_class_robust_accuracy"),
    ]
    assert [score["metric"] for score in found["scores"] if score["headline"]] == ["robust_accuracy"]
    for score in found["scores"]:
        assert set(score) == {
            *("model", "benchmark", "perturbation", "metric", "value", "low", "high", "n", "protocol", "flags"),
            *("detail", "headline", "searched_to"),
        }
        assert 0 <= score["low"] <= score["value"] <= score["high"] <= 1
        assert score["n"] == 16
    again = robust_eval("score", "robust-eval-store", "--json", folder=tmp_path)
    assert json.loads(again.stdout) == found


def test_a_model_that_prints_does_not_spoil_the_json(tmp_path: Path) -> None:
    folder = tmp_path / "a[v2]"
    folder.mkdir()
    (folder / "mine.py").write_text(
        "import torch\n"
        "print('imported')\n"
        "class Loud(torch.nn.Sequential):\n"
        "    def forward(self, images):\n"
        "        print('called')\n"
        "        return super().forward(images)\n"
        "def build():\n"
        "    return Loud(torch.nn.Flatten(), torch.nn.Linear(3072, 10))\n"
    )
    words = ["--model", "a[v2]/mine.py:build", "--input-size", "32", "--benchmark", "digits", "--attack", "none"]
    answer = robust_eval(*words, "--random-weights", "--limit", "4", "--json", folder=tmp_path)
    (score,) = [score for score in json.loads(answer.stdout)["scores"] if score["metric"] == "accuracy"]
    assert (score["n"], score["flags"][0]) == (4, "random weights: 1.weight, 1.bias")
    assert "a[v2]/mine.py:build" in robust_eval("score", "robust-eval-store", folder=tmp_path).stdout


def test_quiet_prints_no_progress(tmp_path: Path) -> None:
    answer = robust_eval(*QUICK, "--quiet", folder=tmp_path)
    assert answer.returncode == 0
    assert answer.stderr == ""


def test_several_models_share_a_store(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import torch\ndef build():\n    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3072, 10))\n"
    )
    words = ["--attack", "none", "--limit", "8", "--store", "s"]
    assert robust_eval(*MODEL, *words, folder=tmp_path).returncode == 0
    mine = robust_eval(
        *("--model", "mine.py:build", "--input-size", "32", "--benchmark", "digits", "--random-weights"),
        *words,
        folder=tmp_path,
    )
    assert mine.returncode == 0, mine.stderr
    assert "assumed: the network gets pixels in [0, 1]" in mine.stderr
    table = robust_eval("score", "s", folder=tmp_path).stdout
    assert "digits_standard" in table
    assert "mine.py:build" in table


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "--model is missing."),
        (["--model", "digits_standart"], "Did you mean 'digits_standard'"),
        ([*MODEL, "--attack", "pgd(epss=1)"], "Did you mean 'eps'"),
        ([*MODEL, "--attack", "pgd(eps=8)"], "Did you mean 8/255?"),
        ([*MODEL, "--suite", "quik"], "Did you mean 'quick'"),
        ([*MODEL, "--data", "digits"], "NAME=PATH"),
        ([*MODEL, "--data", "digits=/no/such/folder"], "/no/such/folder does not exist"),
        ([*MODEL, "--batch-size", "many"], "--batch-size must be auto or a number"),
        ([*MODEL, "--batch-size", "0"], "batch_size must be at least 1"),
        ([*MODEL, "--geometry", "stretch"], "crop, squash or none"),
        ([*MODEL, "--mean", "0.5,0.5"], "one number or three"),
        ([*MODEL, "--mean", "x"], "--mean: 'x' is not a number"),
        ([*MODEL, "--model-arg", "width"], "KEY=VALUE"),
        ([*MODEL, "--device", "abacus"], "Unknown device"),
        ([*MODEL, "--num-classes", "7"], "has 10 outputs, not the 7"),
        ([*MODEL, *MODEL, "--mean", "0.5"], "would apply to 2 models"),
        ([*MODEL, "--weights", "absent.safetensors"], "weights file absent.safetensors"),
        ([*MODEL, "--store", "/dev/null/store"], "Cannot write to /dev/null/store"),
        (["score", "nowhere"], "not a store"),
        (["list", "models", "zzz"], "No alias matches"),
        ([*MODEL, "score", "nowhere"], "--model before `score` does not apply to it"),
        (["--json", "score", "nowhere"], "--json before `score` does not apply to it"),
        ([*MODEL, "--device", "meta"], "is not supported"),
    ],
)
def test_bad_usage_is_one_clear_message_and_exit_code_2(tmp_path: Path, words: list[str], message: str) -> None:
    answer = robust_eval(*words, folder=tmp_path)
    assert answer.returncode == 2
    assert message in answer.stderr
    assert "Traceback" not in answer.stderr
    assert answer.stdout == ""
    assert not (tmp_path / "robust-eval-store").exists()


def test_failing_while_running_is_exit_code_1(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(
        "import torch\n"
        "class Bad(torch.nn.Module):\n"
        "    def forward(self, images):\n"
        "        return images.flatten(1)[:, :10] / (0 if len(images) > 3 else 1)\n"
    )
    answer = robust_eval(
        *("--model", "bad.py:Bad", "--input-size", "32", "--benchmark", "digits", "--attack", "none"), folder=tmp_path
    )
    assert answer.returncode == 1
    assert "NaN or infinite logits" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_everything_missing_is_reported_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("robustbench_eff.system.network.reachable", lambda host: False)
    monkeypatch.setattr("robustbench_eff.system.network.cached_on_hugging_face", lambda *names: False)
    answer = robust_eval(
        *("--model", "effnet_b7_advprop", "--model", "sat_resnet50_silu"),
        folder=tmp_path,
    )
    assert answer.returncode == 2
    assert "3 things are missing; nothing was started" in answer.stderr
    for words in ("huggingface.co/timm/tf_efficientnet_b7.ap_in1k", "TensorFlow checkpoints", "dataset 'imagenet'"):
        assert words in answer.stderr
    assert "robust-eval --model effnet_b7_advprop --weights FILE --data imagenet=PATH" in answer.stderr


def test_skip_missing_lists_it_in_the_json(tmp_path: Path) -> None:
    words = ["--model", "sat_resnet50_silu", *QUICK, "--skip-missing", "--json"]
    found = json.loads(robust_eval(*words, folder=tmp_path).stdout)
    assert {score["model"] for score in found["scores"]} == {"digits_standard"}
    assert [set(item) for item in found["missing"]] == [{"what", "where", "how"}] * 2


def test_an_interrupted_run_can_be_resumed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from robustbench_eff.cli import main; main()", *MODEL]
    words = ["--attack", "pgd(eps=4/255, steps=200)", "--store", "s"]
    process = subprocess.Popen(
        [*command, *words],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        # Where the tests run in the background of a shell, their children are born deaf to Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 120
    while len(list(tmp_path.glob("s/cells/*/*.parquet"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Interrupted. The outcomes so far are in s." in errors
    assert "robust-eval --model digits_standard --attack 'pgd(eps=4/255, steps=200)' --store s" in errors
    (manifest,) = (json.loads(path.read_text()) for path in tmp_path.glob("s/runs/*.json"))
    assert manifest["status"] == "interrupted by SIGINT"
    again = robust_eval("score", "s", folder=tmp_path)
    assert "incomplete" in again.stdout or "pgd" not in again.stdout


def test_outcomes_with_another_seed_are_reported(tmp_path: Path) -> None:
    words = [*MODEL, "--attack", "pgd(eps=8/255, steps=2)", "--limit", "4", "--store", "s"]
    robust_eval(*words, folder=tmp_path)
    answer = robust_eval(*words, "--seed", "1", folder=tmp_path)
    assert "also holds these evaluations with seed 0; they are scored separately" in answer.stderr


def test_a_users_png_folder_is_evaluated(tmp_path: Path) -> None:
    from PIL import Image

    for digit in ("0", "7"):
        (tmp_path / "set" / digit).mkdir(parents=True)
        Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(tmp_path / "set" / digit / "a.png")
    words = [*MODEL, "--benchmark", "mine", "--data", "mine=set", "--attack", "none", "--json"]
    score = json.loads(robust_eval(*words, folder=tmp_path).stdout)["scores"][0]
    assert (score["benchmark"], score["metric"]) == ("mine", "accuracy")
    assert score["value"] in (0.0, 0.5)


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_no_help_text_is_cut_at_80_columns(tmp_path: Path, command: str) -> None:
    answer = robust_eval(*command.split(), "--help", folder=tmp_path, COLUMNS="80")
    assert answer.returncode == 0
    assert not [line for line in answer.stdout.splitlines() if line.removesuffix("│").rstrip().endswith("…")]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--version"], "robust-eval 0.1.0"),
        (["--help"], "robust-eval --model digits_standard"),
        (["list", "models", "b7_adv"], "effnet_b7_advprop"),
        (["list", "models", "digits*"], "digits_standard"),
        (["list", "benchmarks"], "imagenet"),
        (["list", "attacks"], "pgd"),
        (["list", "stylisers"], "random_phase"),
        (["list", "suites"], "quick"),
        (["doctor"], "stylized-imagenet=PATH"),
    ],
)
def test_commands_that_only_inform(tmp_path: Path, words: list[str], expected: str) -> None:
    answer = robust_eval(*words, folder=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert expected in answer.stdout


def test_the_installed_command_completes_names(tmp_path: Path) -> None:
    variables = {
        "_ROBUST_EVAL_COMPLETE": "complete_bash",
        "COMP_WORDS": "robust-eval --model effnet_b7_a",
        "COMP_CWORD": "2",
    }
    command = [str(Path(sys.executable).parent / "robust-eval")]
    answer = subprocess.run(command, capture_output=True, text=True, env=os.environ | variables, timeout=60)
    assert answer.stdout.split() == ["effnet_b7_aa", "effnet_b7_advprop"]


@pytest.mark.parametrize(("columns", "width"), [("0", 160), ("", 160), ("wide", 160), ("-5", 160), ("100", 100)])
def test_only_a_positive_number_of_columns_is_a_width(
    columns: str, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the first case nothing at all was printed."""
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr("sys.stdout", io.StringIO())
    monkeypatch.setattr("sys.stderr", io.StringIO())
    assert output_console().width == width
    assert error_console().width > 0
