"""Odd texts: in files, in options, on the way to the terminal."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.table import Table
from typer.testing import CliRunner

import strange_texts
from robustbench_eff import Settings
from robustbench_eff.attacks import PGD
from robustbench_eff.cli import app
from robustbench_eff.cli.common import error_console, print_line
from robustbench_eff.cli.streams import VisibleConsole
from robustbench_eff.core import spec
from robustbench_eff.core.errors import SpecError, UsageError, did_you_mean
from robustbench_eff.core.visible_text import visible
from strange_outcomes import faults

MAIN = [sys.executable, "-c", "from robustbench_eff.cli import main; main()"]


@pytest.mark.parametrize("name", ["SUITES", "CLASSES", "ENTRIES"])
def test_odd_files_end_in_their_sentence(name: str) -> None:
    assert faults("strange_texts", name, getattr(strange_texts, name)) == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("pgd(eps=4/255, eps=8/255)", "states 'eps' twice"),
        ("pgd(eps=4/255, ｅps=8/255)", "states 'eps' twice"),
        ("pgd(eps=1e400)", "a number is too large"),
        ("pgd(eps=-1e400)", "a number is too large"),
        ("pgd(eps=10**10**10)", "neither a literal nor a fraction"),
        (f"pgd(eps={'9' * 5000})", "Exceeds the limit|too large"),
        (f"pgd(eps={'(' * 5000})", "too many nested|Cannot read"),
        (f"pgd(eps={'a' * 20_000})", "is longer than 20,000"),
        ("pgd(eps=\0)", "null bytes"),
        ("pgd（eps=4/255）", "Cannot read"),
        ("pgd(eps=٤)", "Cannot read the arguments"),
        ("pgd(eps=−0.5)", "Cannot read the arguments"),
        ("pgd(eps=nan)", "must be float"),
        ("pgd(eps='\ud800')", "Cannot read|must be float"),
    ],
)
def test_odd_components_are_refused(text: str, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        spec.build(PGD, spec.parse(text))


def test_numbers_that_no_float_holds_are_refused() -> None:
    with pytest.raises(SpecError, match="too large"):
        spec.number("9" * 400)


def test_long_names_have_no_close_ones() -> None:
    assert did_you_mean("a" * 100_000, ["a" * 100, "b"]) == ""
    assert did_you_mean("fgms", ["fgsm", "f" * 100_000]) == "Did you mean 'fgsm'?"


@pytest.mark.parametrize(
    "words",
    [
        ["--model", "digits_standard", "--store", ""],
        ["--model", "digits_standard", "--attack", ""],
        ["--model", "digits_standard", "--corruption", " "],
        ["--model", "digits_standard", "--weights="],
        *(
            ["--model", "digits_standard", f"--{name}", ""]
            for name in ("suite", "benchmark", "data", "device", "limit")
        ),
        ["--model", ""],
        ["score", ""],
        ["report", "store", "--out", ""],
        ["plan", "--model", "digits_standard", "--suite="],
    ],
)
def test_an_option_is_never_empty(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = CliRunner().invoke(app, words)
    assert run.exit_code == 2
    assert "is empty" in run.output
    assert list(tmp_path.iterdir()) == []


def test_an_attack_names_something(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = CliRunner().invoke(app, ["--model", "digits_standard", "--attack", " , "])
    assert (run.exit_code, "names nothing" in run.output) == (2, True)
    with pytest.raises(UsageError, match="store is empty"):
        Settings(store="")


STEERING = "\x1b[31m\x1b]0;title\x07\r\x9b2J\u202e\u200b\ud800"


def test_names_cannot_steer_the_terminal() -> None:
    assert visible("a\tb\nε ± ✓") == "a\tb\nε ± ✓"
    assert visible(STEERING) == r"\x1b[31m\x1b]0;title\x07\r\x9b2J\u202e\u200b\ud800"
    file = io.StringIO()
    console = VisibleConsole(file=file, force_terminal=True, width=200)
    print_line(console, STEERING)
    table = Table("name", title=STEERING)
    table.add_row(f"[bold]{STEERING}")
    console.print(table)
    shown = file.getvalue()
    assert "\x1b[1m" in shown  # the console's own
    for steering in ("\x1b]", "\x1b[31m", "\x07", "\r", "\x9b", "\u202e", "\u200b", "\ud800"):
        assert steering not in shown
    assert isinstance(error_console(), VisibleConsole)


def test_a_message_cannot_steer_the_terminal() -> None:
    run = CliRunner().invoke(app, ["score", f"/absent/{STEERING[:-1]}"])
    assert run.exit_code == 2
    assert r"\x1b[31m\x1b]0;title\x07\r\x9b2J\u202e\u200b is not a store" in run.output


@pytest.mark.parametrize("words", [["list", "defenses"], ["--help"], ["score", "/absent/ε"]])
def test_a_console_without_other_letters_gets_their_numbers(words: list[str]) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    run = subprocess.run([*MAIN, *words], capture_output=True, env=environment, check=False)
    assert run.returncode == (2 if words[0] == "score" else 0), run.stderr
    assert b"Traceback" not in run.stderr
    (run.stdout + run.stderr).decode("ascii")


@pytest.mark.parametrize("words", [["list", "models"], ["--help"], ["leaderboard", "schema"]])
def test_a_full_disk_and_a_closed_pipe_are_told_in_one_sentence(words: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        run = subprocess.run([*MAIN, *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert run.returncode == 1
    assert run.stderr == "error: The output cannot be written: No space left on device.\nFree some space.\n"
    reading, writing = os.pipe()
    os.close(reading)
    run = subprocess.run([*MAIN, *words], stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert run.returncode == 1
    assert run.stderr == "error: The program that reads the output ended before all was written.\n"
