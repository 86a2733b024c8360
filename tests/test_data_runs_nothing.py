"""A program runs only where the user names it: never because a file that somebody shared does, without --trust-code."""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import EpsImagePlugin, Image
from typer.testing import CliRunner

from programs_in_data import EVALUATED, MARKER, OTHER_COMMANDS, PAYLOAD, RUN, Shared, card
from robustbench_eff import evaluate, load_classifier
from robustbench_eff.cli.main import app
from robustbench_eff.core.errors import UsageError
from robustbench_eff.system.child_processes import SAFE_PATH, safe_path
from robustbench_eff.training.sweep import run_sweep
from robustbench_eff.training.sweep_spec import Sweep


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a program that leaves a marker."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "payload", raising=False)
    Path("payload.py").write_text(PAYLOAD)
    return tmp_path


def ran() -> bool:
    """Whether the program has run since the last call."""
    marker = Path(MARKER)
    was_there = marker.exists()
    marker.unlink(missing_ok=True)
    return was_there


def refusal(words: list[str]) -> str:
    """What a command writes that refuses to run a program."""
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2, result.output
    assert not ran()
    return result.stderr.replace("\n", " ")


def check_trusted(words: list[str]) -> None:
    """The command with --trust-code runs the program, and succeeds."""
    result = CliRunner().invoke(app, [*words, "--trust-code"])
    assert result.exit_code == 0, result.output
    assert ran()


@pytest.mark.parametrize("shared", EVALUATED.values(), ids=EVALUATED)
def test_an_evaluation_runs_what_a_file_names_only_if_it_is_trusted(shared: Shared, folder: Path) -> None:
    shared.write()
    would = shared.would.format(here=folder)
    for words in (shared.words, ["plan", *shared.words]):
        said = refusal(words)
        assert would in said
        assert "add --trust-code" in said
    options: dict[str, Any] = {"benchmarks": ["digits"], "limit": 4, "device": "cpu"}
    given = dict(zip(shared.words[::2], shared.words[1::2], strict=True))
    options |= {"attacks": [given["--attack"]]} if "--attack" in given else {"suite": given["--suite"]}
    with pytest.raises(UsageError, match="nothing was run") as caught:
        evaluate(given["--model"], **options)
    assert (would in caught.value.message, "trust_code=True" in caught.value.hint, ran()) == (True, True, False)
    check_trusted(shared.words)


@pytest.mark.parametrize("shared", OTHER_COMMANDS.values(), ids=OTHER_COMMANDS)
def test_every_other_command_obeys_too(shared: Shared, folder: Path) -> None:
    shared.write()
    said = refusal(shared.words)
    assert shared.would.format(here=folder) in said
    assert "add --trust-code" in said
    check_trusted(shared.words)


def test_any_function_of_any_module_is_refused_by_its_name() -> None:
    card(f"os:system(command='touch {MARKER}')")()
    words = ["--model", "shared", *RUN]
    assert "shared/model.json would import the module os and run its system; nothing was run." in refusal(words)
    with pytest.raises(UsageError, match="the module os and run its system"):
        load_classifier("shared")
    assert not ran()
    CliRunner().invoke(app, [*words, "--trust-code"])
    assert ran()


def test_a_plan_with_the_option_runs_the_program_and_a_list_does_not() -> None:
    card("payload.py:build")()
    check_trusted(["plan", "--model", "shared", "--attack", "fgsm", *RUN])
    assert CliRunner().invoke(app, ["list", "models", "digits*"]).exit_code == 0
    assert not ran()


def test_a_sweep_cannot_trust_itself() -> None:
    train = {"arch": "payload.py:build", "trust_code": True}
    content = {"title": "Shared", "train": train, "rows": {"row": "standard"}, "seeds": [0]}
    content["evaluate"] = [{"benchmarks": ["digits"], "perturbations": ["fgsm"]}]
    with pytest.raises(UsageError, match="does not have a field 'trust_code'"):
        run_sweep(Sweep.parse(yaml.safe_dump(content), "sweep.yaml"), Path("out"))
    content |= {"train": {}, "rows": {"row": "noisy_student(teacher='payload.py:build')"}}
    with pytest.raises(UsageError, match=r"Sweep 'Shared' would run the file .*payload.py and then its build"):
        run_sweep(Sweep.parse(yaml.safe_dump(content), "sweep.yaml"), Path("out"))
    assert not ran()


def test_what_the_user_names_runs_without_the_option() -> None:
    for words in (["--attack", "payload.py:Mine(eps=0.1)"], ["--attack", "fgsm from payload.py:build"]):
        assert CliRunner().invoke(app, ["--model", "digits_standard", *words, *RUN]).exit_code == 0
        assert Path(MARKER).exists()
    assert load_classifier("payload:build", input_size=32, device="cpu").num_classes == 10


def test_the_command_that_a_training_prints_works() -> None:
    words = ["train", "--out", "mine", "--arch", "payload.py:build", "--limit", "40", "--device", "cpu"]
    trained = CliRunner().invoke(app, [*words, "--schedule", "epochs=1, batch_size=32", "--quiet"])
    printed = trained.stdout.splitlines()[-1].removeprefix("To evaluate it: robust-eval ").split()
    assert printed == ["--model", "mine", "--trust-code"]
    assert CliRunner().invoke(app, [*printed, *RUN, "--attack", "none"]).exit_code == 0


class Calls:
    """A pickle that runs a program when it is read."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.system, (f"touch '{Path(MARKER).resolve()}'",)


def pickled() -> bytes:
    return pickle.dumps({b"data": Calls(), b"labels": [0], b"label_names": Calls()}, protocol=2)


TAG = f"!!python/object/apply:os.system ['touch {MARKER}']\n"
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n0 0 8 8 rectfill\n%%EOF\n"


def write(name: str, content: bytes | str) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())


def objects(name: str) -> Callable[[], None]:
    def save() -> None:
        values = np.array([Calls()], dtype=object)
        Path(name).parent.mkdir(exist_ok=True)
        np.savez(name, x=values, y=values) if name.endswith(".npz") else np.save(name, values)

    return save


MINE = ["--model", "digits_standard", "--attack", "none", "--benchmark", "mine", "--data"]
INERT = {
    "a pickled checkpoint": (
        lambda: torch.save({"state_dict": Calls()}, "weights.pt"),
        ["--model", "digits_standard", "--weights", "weights.pt", *RUN],
        lambda: torch.load("weights.pt", weights_only=False),
    ),
    "a checkpoint called safetensors": (
        lambda: torch.save(Calls(), "weights.safetensors"),
        ["--model", "digits_standard", "--weights", "weights.safetensors", *RUN],
        lambda: torch.load(io.BytesIO(Path("weights.safetensors").read_bytes()), weights_only=False),
    ),
    "pickles of CIFAR": (
        lambda: write("cifar-10-batches-py/test_batch", pickled()),
        ["--model", "digits_standard", "--attack", "none", "--benchmark", "cifar10", "--data", "cifar10=."],
        lambda: pickle.loads(Path("cifar-10-batches-py/test_batch").read_bytes()),
    ),
    "an npz of objects": (
        objects("mine.npz"),
        [*MINE, "mine=mine.npz"],
        lambda: np.load("mine.npz", allow_pickle=True)["x"],
    ),
    "an npy of objects": (
        lambda: (objects("mine/images.npy")(), objects("mine/labels.npy")()),
        [*MINE, "mine=mine"],
        lambda: np.load("mine/images.npy", allow_pickle=True),
    ),
    "a tag in a suite": (
        lambda: write("x.yaml", f"title: {TAG}"),
        ["--model", "digits_standard", "--suite", "x.yaml"],
        lambda: yaml.unsafe_load(Path("x.yaml").read_text()),
    ),
    "a tag in a sweep": (
        lambda: write("x.yaml", f"title: {TAG}"),
        ["sweep", "x.yaml", "--out", "out"],
        lambda: yaml.unsafe_load(Path("x.yaml").read_text()),
    ),
    "a tag in the columns of a table": (
        lambda: write("x.yaml", f"title: {TAG}"),
        ["leaderboard", "build", "--columns", "x.yaml"],
        lambda: yaml.unsafe_load(Path("x.yaml").read_text()),
    ),
    "a tag in the locations of images": (
        lambda: write("robust-eval.yaml", f"data: {TAG}"),
        ["--model", "digits_standard", "--benchmark", "cifar10"],
        lambda: yaml.unsafe_load(Path("robust-eval.yaml").read_text()),
    ),
    "an EPS called png": (
        lambda: write("mine/a/x.png", EPS),
        [*MINE, "mine=mine"],
        lambda: Image.open("mine/a/x.png").load(),
    ),
}
"""What somebody shares, the command that reads it, and a careless way to read it, which runs the program."""


@pytest.mark.parametrize(("share", "words", "carelessly"), INERT.values(), ids=INERT)
def test_data_is_refused_in_a_sentence_and_runs_nothing(
    share: Callable[[], Any], words: list[str], carelessly: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ghostscript is here a program that leaves the marker."""
    write("bin/gs", f"#!/bin/sh\ntouch '{Path(MARKER).resolve()}'\n")
    Path("bin/gs").chmod(0o755)
    monkeypatch.setenv("PATH", f"{Path('bin').resolve()}:{os.environ['PATH']}")
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)
    share()
    ran()
    said = CliRunner().invoke(app, words)
    assert said.exit_code in (1, 2), said.output
    assert "Traceback" not in said.output
    assert not ran()
    try:
        carelessly()
    except Exception as error:  # noqa: BLE001, after the program ran, the file may be nothing that can be read
        assert ran(), error
    else:
        assert ran(), "this test could not fail"


def test_trusting_a_checkpoint_is_not_trusting_a_card_and_the_reverse() -> None:
    card("payload.py:build")()
    assert "would run the file" in refusal(["--model", "shared", "--trust-checkpoint", *RUN])
    torch.save({"state_dict": Calls(), "padding": torch.zeros(30_000)}, "weights.pt")
    words = ["--model", "digits_standard", "--weights", "weights.pt", "--trust-code", *RUN]
    assert "--trust-checkpoint" in refusal(words)


def test_a_file_beside_data_is_not_a_module_of_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new process of `multiprocessing` looks for its own modules in the working directory first."""
    write("multiprocessing.py", PAYLOAD.splitlines()[2] + f"\nPath({MARKER!r}).touch()\n")
    monkeypatch.delenv(SAFE_PATH, raising=False)
    start = [sys.executable, "-c", "import multiprocessing"]
    subprocess.run(start, check=True)
    assert ran(), "this test could not fail"
    with safe_path():
        subprocess.run(start, check=True)
    assert not ran()
    assert SAFE_PATH not in os.environ


def test_workers_obey_and_import_nothing_from_the_working_directory() -> None:
    card("payload.py:build")()
    write("multiprocessing.py", f"from pathlib import Path\nPath({MARKER!r}).touch()\n")
    options: dict[str, Any] = {"benchmarks": ["digits"], "attacks": ["none"], "limit": 4, "device": "cpu", "workers": 2}
    with pytest.raises(UsageError, match="would run the file"):
        evaluate("shared", **options)
    assert not ran()
    Path("multiprocessing.py").unlink()
    assert evaluate("shared", trust_code=True, **options).scores
    assert ran()


def test_the_folder_of_a_program_comes_last_once_it_has_run(folder: Path) -> None:
    """Inside the file its neighbours come first; a library that is imported later is the installed one."""
    write("lib/model.py", "import safetensors\nVALUE = safetensors.VALUE\n")
    write("lib/safetensors.py", "VALUE = 3\n")
    write("timm_of_mine.py", "VALUE = 4\n")
    code = (
        "from robustbench_eff.core.code_origin import BY_USER\n"
        "from robustbench_eff.core.user_code import load_object\n"
        "import sys\n"
        "assert 'safetensors' not in sys.modules\n"
        "assert load_object('lib/model.py:VALUE', BY_USER) == 3\n"
        "assert load_object('timm_of_mine:VALUE', BY_USER) == 4\n"
        "del sys.modules['safetensors']\n"
        "import safetensors\n"
        "assert 'site-packages' in safetensors.__file__\n"
    )
    subprocess.run([sys.executable, "-P", "-c", code], check=True, cwd=folder)
