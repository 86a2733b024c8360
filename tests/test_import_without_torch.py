"""Modules that a command must not import: tables are built on a laptop in a second, without torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = "torch", "torchvision", "timm", "datasets", "sklearn", "foolbox"
UNUSED = "torch._dynamo", "torch._inductor", "triton", "sympy", "scipy.stats", "matplotlib", *HEAVY[1:]
"""What the first number of a shipped model does not need; the compiler alone takes a second to import."""
SCRIPT = """
import sys
from robustbench_eff import cli
sys.argv = ["robust-eval", *{words!r}]
try:
    cli.main()
except SystemExit as stop:
    code = stop.code or 0
loaded = sorted(set({heavy!r}) & set(sys.modules))
print("loaded:", loaded, file=sys.stderr)
sys.exit(code)
"""


def loaded_by(*words: str, heavy: tuple[str, ...] = HEAVY) -> subprocess.CompletedProcess[str]:
    script = SCRIPT.format(words=list(words), heavy=heavy)
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("words", [["--help"], ["list", "models", "b7"], ["list", "benchmarks"], ["list", "attacks"]])
def test_help_and_lists_do_not_import_torch(words: list[str]) -> None:
    answer = loaded_by(*words)
    assert answer.returncode == 0
    assert "loaded: []" in answer.stderr


def test_a_name_without_its_source_is_answered_without_torch() -> None:
    answer = loaded_by("--model", "mobilnetv2_100")
    assert answer.returncode == 2
    assert "Did you mean timm:mobilenetv2_100" in answer.stderr
    assert "loaded: []" in answer.stderr


def test_scoring_does_not_import_torch(digits_store: Path) -> None:
    answer = loaded_by("score", str(digits_store))
    assert answer.returncode == 0
    assert "pgd(eps=16/255)" in answer.stdout
    assert "loaded: []" in answer.stderr


@pytest.mark.parametrize("attack", ["none", "fgsm"])
def test_the_first_number_imports_no_compiler(tmp_path: Path, attack: str) -> None:
    words = ("--model", "digits_standard", "--attack", attack, "--limit", "20", "--store", str(tmp_path / "store"))
    unused = UNUSED if attack == "none" else tuple(name for name in UNUSED if name not in ("sympy", "triton"))
    answer = loaded_by(*words, heavy=unused)
    assert answer.returncode == 0
    assert "loaded: []" in answer.stderr.splitlines()[-1]


def test_an_evaluation_imports_torch(tmp_path: Path) -> None:
    answer = loaded_by("--model", "digits_standard", "--attack", "none", "--limit", "2", "--store", str(tmp_path / "s"))
    assert "torch" in answer.stderr.splitlines()[-1]
