"""The networks that are installed are those of examples/digits-zoo.yaml, and worth what is said there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from robustbench_eff import evaluate, load_classifier
from robustbench_eff.models.aliases import aliases, checkpoints
from robustbench_eff.models.card import Card
from robustbench_eff.registry import build_defense
from robustbench_eff.registry.defenses import DEFENSES
from robustbench_eff.training.sweep_spec import Sweep

EXAMPLES = Path(__file__).parents[1] / "examples"
SWEEP = Sweep.parse((EXAMPLES / "digits-zoo.yaml").read_text(), "digits-zoo.yaml")
RESULTS = json.loads((EXAMPLES / "digits-zoo.json").read_text())


def shipped_name(row: str, seed: int) -> str:
    return f"digits_{row}" if seed == 0 else f"digits_{row}_seed{seed}"


NAMES = {shipped_name(row, seed): (row, seed) for row in SWEEP.recipes() for seed in SWEEP.seeds}


def test_every_defense_of_the_catalog_is_shipped_with_every_seed() -> None:
    shipped = {name for name, alias in aliases().items() if alias.source == "shipped"}
    assert shipped == set(NAMES)
    assert {aliases()[name].defense for name in shipped} == set(DEFENSES)


@pytest.mark.parametrize("name", NAMES)
def test_a_card_says_the_recipe_the_seed_and_the_budget_of_the_sweep(name: str) -> None:
    row, seed = NAMES[name]
    card = Card.read(checkpoints() / f"{name}.json")
    assert card.name == name and card.seed == seed and card.architecture == SWEEP.train["arch"]
    assert card.defense == build_defense.defense_text(SWEEP.recipes()[row])
    assert card.passes_per_sample == pytest.approx(SWEEP.train["passes_per_image"], rel=0.06)
    assert (checkpoints() / f"{name}.safetensors").stat().st_size < 100_000


@pytest.mark.parametrize("row", ["standard", "sat", "advprop", "free"])
def test_a_shipped_network_is_right_as_often_as_the_table_says(row: str, tmp_path: Path) -> None:
    """Within two of 360 digits, which the last bit of a margin may decide."""
    scores = evaluate(f"digits_{row}", attacks=["none"], store=tmp_path).scores
    clean = next(score.value for score in scores if score.metric == "accuracy")
    assert clean == pytest.approx(RESULTS["values"][row]["0"]["digits"], abs=2.5 / 360)


def test_adversarial_training_is_forty_points_above_standard_under_pgd_with_its_whole_interval() -> None:
    found = RESULTS["differences"]["pgd_at"]["digits, pgd(eps=16/255, steps=50)"]
    assert found["n"] == 5 and found["low"] > 0.4


def test_a_smooth_network_is_shipped_as_one() -> None:
    parts = {type(part).__name__ for part in load_classifier("digits_sat").modules()}
    assert "SiLU" in parts and "ReLU" not in parts
