"""An attack whose text states no radius has the benchmark's usual one, and a line says so."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from robustbench_eff.attacks import PGD
from robustbench_eff.core.threat import Threat
from robustbench_eff.defenses.adversarial import AdversarialTraining
from robustbench_eff.registry import build_benchmark, build_defense
from robustbench_eff.registry.defenses import DEFENSES
from robustbench_eff.registry.perturbation import parse_perturbation
from robustbench_eff.registry.usual_radius import perturbations_on
from robustbench_eff.training.settings import TrainSettings
from robustbench_eff.training.sweep_spec import Sweep


@pytest.mark.parametrize(
    ("benchmark", "asked", "text", "line"),
    [
        ("cifar10", "pgd", "pgd(eps=8/255)", "assumed: pgd with eps=8/255, the usual radius on cifar10"),
        ("cifar100-c", "pgd(steps=3)", "pgd(eps=8/255, steps=3)", "the usual radius on cifar100-c"),
        ("cifar10", "autoattack(norm=l2)", "autoattack(eps=0.5, norm='l2')", "eps=0.5, norm=l2, the usual radius"),
        ("imagenet", "fgsm", "fgsm(eps=4/255)", "assumed: fgsm with eps=4/255, the usual radius on imagenet"),
        ("imagenet", "pgd(norm=l2)", "pgd(eps=3.0, norm='l2')", "eps=3.0, norm=l2, the usual radius"),
        ("cifar10", "pgd(norm=l1)", "pgd(eps=4/255, norm='l1')", "eps=4/255, norm=l1, cifar10 has no usual radius"),
        ("digits", "fgsm", "fgsm(eps=4/255)", "eps=4/255, digits has no usual radius"),
        ("digits", "pgd(norm=l2)", "pgd(eps=0.5, norm='l2')", "eps=0.5, norm=l2, digits has no usual radius"),
        ("cifar10", "fgsm from timm:resnet18", "fgsm(eps=8/255) from timm:resnet18", "fgsm with eps=8/255"),
    ],
)
def test_an_unstated_radius_is_the_usual_one(benchmark: str, asked: str, text: str, line: str) -> None:
    row = build_benchmark.benchmark(benchmark)
    clean, attack = perturbations_on([asked], benchmark, row.usual_radii)
    assert clean.kind == "none"
    assert attack == parse_perturbation(text)
    assert line in attack.assumed[0]


@pytest.mark.parametrize(
    "asked", ["pgd(eps=2/255)", "fog(severity=3)", "fmn", "carlini_wagner", "foolbox:L2FMNAttack", PGD()]
)
def test_what_states_its_radius_or_has_none_is_left_alone(asked: object) -> None:
    radii = build_benchmark.benchmark("cifar10").usual_radii
    (changed,) = [item for item in perturbations_on([asked], "cifar10", radii) if item.kind != "none"]
    assert changed.assumed == ()


def test_a_text_and_an_object_of_one_radius_are_the_same_cell() -> None:
    radii = build_benchmark.benchmark("cifar10").usual_radii
    assert len(perturbations_on(["pgd", PGD(eps=8 / 255)], "cifar10", radii)) == 2


RECIPES = ("advprop", "fast", "free", "pgd_at", "sat", "trades")


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize(("benchmark", "eps"), [("cifar10", 8 / 255), ("imagenet", 4 / 255), ("digits", 4 / 255)])
def test_defenses_train_at_one_radius_unless_told_otherwise(name: str, benchmark: str, eps: float) -> None:
    settings = TrainSettings(out=Path("mine"), defense=name, benchmark=benchmark)
    assert settings.recipe.eps == pytest.approx(eps)  # type: ignore[attr-defined]
    assert settings.assumed.startswith(f"assumed: {name} with eps={round(255 * eps)}/255, ")
    assert build_defense.defense(settings.defense_text) == settings.recipe
    told = TrainSettings(out=Path("mine"), defense=f"{name}(eps=2/255)", benchmark=benchmark)
    assert (told.recipe.eps, told.assumed) == (2 / 255, "")  # type: ignore[attr-defined]


def test_a_defense_in_l2_has_the_radius_of_its_norm() -> None:
    settings = TrainSettings(out=Path("mine"), defense="pgd_at(norm=l2)", benchmark="imagenet")
    assert settings.recipe.threat == Threat("l2", 3.0)


def test_a_radius_that_belongs_to_a_method_and_one_of_a_recipe_object_stay() -> None:
    fast = TrainSettings(out=Path("mine"), defense="fast_advprop", benchmark="imagenet")
    assert fast.defense_text == "fast_advprop(eps=1/255)"
    own = AdversarialTraining(eps=3 / 255)
    assert TrainSettings(out=Path("mine"), defense=own, benchmark="imagenet").recipe is own


def test_every_recipe_of_ours_with_a_radius_has_the_usual_one_but_fast_advprop() -> None:
    with_radius = {name for name, recipe in DEFENSES.loaded() if "eps" in {field.name for field in fields(recipe)}}
    usual = {name for name, recipe in DEFENSES.loaded() if recipe.has_usual_radius}
    assert usual == {*RECIPES} == with_radius - {"fast_advprop"}


@pytest.mark.parametrize(("eps", "steps"), [("1/255", 1), ("2/255", 3), ("4/255", 5), ("8/255", 9)])
def test_advprop_takes_the_steps_of_its_paper(eps: str, steps: int) -> None:
    assert build_defense.defense(f"advprop(eps={eps})").passes == 2 * steps + 4


def test_a_sweep_states_the_radius_in_its_results() -> None:
    rows = "title: radii\nrows: {a: sat, b: standard}\ntrain: {benchmark: cifar10}\nseeds: [0]\n"
    text = f"{rows}evaluate: [{{benchmarks: [cifar10], perturbations: [fog(severity=3)]}}]\n"
    sweep = Sweep.parse(text, "radii.yaml")
    assert sweep.recipes() == {"a": "sat(eps=8/255)", "b": "standard"}
    assert sweep.assumed() == ["assumed: sat with eps=8/255, the usual radius on cifar10"]
