"""The user's own attack in a file: every way to name it, and a clear message for every way to get it wrong."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from robustbench_eff.cli import app
from robustbench_eff.core.errors import RobustEvalError
from robustbench_eff.registry.perturbation import as_perturbation, parse_perturbation

EXAMPLE = Path(__file__).parents[1] / "examples" / "plugin" / "acme_robustness" / "attack.py"
VARIANTS = """
from dataclasses import dataclass
from typing import ClassVar

from robustbench_eff.core.threat import Threat

VALUE = None


class Plain:
    pass


@dataclass(frozen=True)
class NotAnAttack:
    eps: float = 0.1


@dataclass(frozen=True)
class Uncallable:
    eps: float = 0.1
    version: ClassVar[int] = 1
    uses: ClassVar[str] = "gradients"
    stochastic: ClassVar[bool] = False
    max_passes: ClassVar[int] = 2

    @property
    def threat(self):
        return Threat("linf", self.eps)


@dataclass(frozen=True)
class Identity(Uncallable):
    def __call__(self, classifier, images, labels, draws=None):
        return images


@dataclass(frozen=True)
class UsesAnything(Identity):
    uses: ClassVar[str] = "anything"


@dataclass(frozen=True, kw_only=True)
class NeedsSteps(Identity):
    steps: int


@dataclass(frozen=True)
class Refuses(Identity):
    def __post_init__(self):
        raise ValueError("eps is too large")


@dataclass
class Mutable:
    eps: float = 0.1
    version: ClassVar[int] = 1
    uses: ClassVar[str] = "gradients"
    stochastic: ClassVar[bool] = False
    max_passes: ClassVar[int] = 2
    threat = Uncallable.threat
    __call__ = Identity.__call__
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "sub").mkdir()
    source = EXAMPLE.read_text().replace("GradientAscent", "MyAttack")
    for path in ("mine.py", "sub/my-attack.py", "pyattack.py", "mine.txt"):
        (tmp_path / path).write_text(source)
    (tmp_path / "variants.py").write_text(VARIANTS)
    (tmp_path / "needs.py").write_text("import no_such_library_of_mine\n")
    yield tmp_path
    for name in ("mine", "pyattack"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    "place",
    ["mine.py", "./mine.py", "sub/../mine.py", "sub/my-attack.py", "~/mine.py", "{folder}/mine.py", "mine", "pyattack"],
)
def test_every_way_to_name_the_class_gives_the_attack(folder: Path, place: str) -> None:
    name = f"{place.format(folder=folder)}:MyAttack"
    perturbation = parse_perturbation(f"{name}(eps=4/255, steps=3)")
    assert perturbation.text == f"{name}(eps=4/255, steps=3)"
    assert perturbation.attack.max_passes == 6
    assert parse_perturbation(name).text == f"{name}(eps=8/255)"


def test_a_field_without_a_default_can_be_given() -> None:
    assert parse_perturbation("variants.py:NeedsSteps(steps=3)").text == "variants.py:NeedsSteps(eps=0.1, steps=3)"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("absent.py:MyAttack", "absent.py cannot be imported: the file does not exist."),
        ("mine.txt:MyAttack", "neither a Python file nor the name of a module.\nWrite path/to/file.py:NAME"),
        ("sub/mine:MyAttack", "neither a Python file nor the name of a module.\nWrite path/to/file.py:NAME"),
        ("no_such_module:MyAttack", "No module named 'no_such_module'\nWrite path/to/file.py:NAME"),
        ("needs.py:MyAttack", "Install no_such_library_of_mine, or add its folder to PYTHONPATH."),
        ("foolbx:LinfPGD(eps=0.1)", "Did you mean 'foolbox'?"),
        ("mine.py", "mine.py does not name a class of the file.\nWrite mine.py:CLASS."),
        ("mine.py:MyAtack", "Did you mean 'MyAttack'?"),
        ("mine.py:Other", "mine.py does not define 'Other'.\nIt defines MyAttack."),
        ("mine.py:MyAttack(epsilon=1)", "mine.py:MyAttack does not have a field 'epsilon'."),
        ("mine.py:MyAttack(eps=8)", "got 8.\nDid you mean 8/255?"),
        ("my folder/mine.py:MyAttack", "The path of a file cannot contain spaces"),
        ("mine.py:MyAttack(steps=20) from digits_standard", "lacks a field early_stop"),
        ("variants.py:VALUE", "VALUE of variants.py is None."),
        ("variants.py:Plain", "variants.py:Plain is not a dataclass."),
        ("variants.py:NotAnAttack", "lacks version, threat, uses, stochastic, max_passes."),
        ("variants.py:Uncallable", "variants.py:Uncallable is not an attack: it cannot be called."),
        ("variants.py:UsesAnything", "'logits', 'decisions', got 'anything'."),
        ("variants.py:NeedsSteps", "needs a value for steps.\nWrite variants.py:NeedsSteps(steps=...)"),
        ("variants.py:Refuses", "variants.py:Refuses cannot be made: ValueError: eps is too large"),
        ("variants.py:Mutable", "is not a frozen dataclass.\nDecorate the class with @dataclass(frozen=True)."),
    ],
)
def test_every_mistake_gets_a_message_that_names_the_file_as_it_was_written(text: str, message: str) -> None:
    with pytest.raises(RobustEvalError) as caught:
        parse_perturbation(text)
    assert message in str(caught.value)
    assert "_robust_eval_user" not in str(caught.value)


def test_a_class_is_not_taken_for_an_instance() -> None:
    kind = type(parse_perturbation("mine.py:MyAttack").attack)
    assert as_perturbation(kind()).kind == "attack"
    with pytest.raises(RobustEvalError, match="Pass an instance of the class"):
        as_perturbation(kind)  # type: ignore[arg-type]


def test_the_command_runs_an_attack_in_a_file() -> None:
    words = ["--model", "digits_standard", "--limit", "4", "--attack", "./mine.py:MyAttack(eps=16/255, steps=2)"]
    answer = CliRunner().invoke(app, [*words, "--json"], prog_name="robust-eval")
    assert answer.exit_code == 0, answer.stderr
    perturbations = [score["perturbation"] for score in json.loads(answer.stdout)["scores"]]
    assert "./mine.py:MyAttack(eps=16/255, steps=2)" in perturbations
    refused = CliRunner().invoke(app, [*words[:-1], "./mine.py:MyAttack(eps=16)"], prog_name="robust-eval")
    assert (refused.exit_code, "Did you mean 16/255?" in refused.stderr) == (2, True)
