"""What the documents promise is there, and their examples run."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
import torch

from robustbench_eff import evaluate
from robustbench_eff.attacks import PGD
from robustbench_eff.registry import build_component
from robustbench_eff.registry.attacks import ATTACKS
from robustbench_eff.registry.defenses import DEFENSES
from robustbench_eff.registry.stylisers import STYLISERS
from robustbench_eff.scores.masking_checks import CHECKS
from running import accuracies
from small_models import USER_MODEL

DOCS = Path(__file__).parents[1] / "docs"


def first_column(document: str, header: str) -> list[str]:
    """The names in the first column of the table that begins with `header`."""
    table = (DOCS / document).read_text().split(f"| {header} |", 1)[1].split("\n\n", 1)[0]
    return re.findall(r"^\| `(\w+)`", table, re.MULTILINE)


def test_the_table_of_attacks_is_the_catalogs() -> None:
    assert sorted(first_column("attacks.md", "attack")) == sorted(ATTACKS)


def test_the_table_of_stylisers_is_the_catalogs() -> None:
    assert sorted(first_column("corruptions.md", "styliser")) == sorted(STYLISERS)


def test_the_table_of_defenses_is_the_catalogs_and_its_passes_are_right() -> None:
    assert sorted(first_column("training.md", "defense")) == sorted(DEFENSES)
    table = (DOCS / "training.md").read_text()
    for name, formula in re.findall(r"^\| `(\w+)` \|.*\| ([^|]+) \|$", table, re.MULTILINE):
        recipe = build_component.defense(name)
        numbers = {"steps": getattr(recipe, "steps", 0), "replays": getattr(recipe, "replays", 0)}
        terms = [term.split(" · ") for term in formula.split(" + ")]
        passes = sum(math.prod(float(numbers.get(factor, factor)) for factor in term) for term in terms)
        assert recipe.passes == pytest.approx(passes), name


def test_the_table_of_checks_is_complete() -> None:
    assert first_column("attacks.md", "check") == list(CHECKS)


def test_three_lines_attack_a_module_of_the_user() -> None:
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 8 * 8, 4))
    images, labels = torch.full((5, 3, 8, 8), 0.5), torch.zeros(5, dtype=torch.long)
    adversarial = PGD(eps=8 / 255)(module.eval(), images, labels)
    assert 0 < (adversarial - images).abs().max() <= 8 / 255 + 1e-6


def test_three_pixels_of_a_users_model_are_attacked_from_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "my_model.py").write_text(USER_MODEL)
    from robustbench_eff import load_classifier

    model = load_classifier(f"{tmp_path}/my_model.py:build", input_size=32)
    attack = "one_pixel(pixels=3, population=20, generations=3)"
    result = evaluate(model, benchmarks=["digits"], attacks=[attack], limit=20, store=tmp_path / "store")
    assert [score.metric for score in accuracies(result.scores)] == [
        "accuracy",
        "robust_accuracy",
        "robust_accuracy_8bit",
    ]
