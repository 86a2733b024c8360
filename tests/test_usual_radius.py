"""An attack whose text states no radius has the benchmark's usual one, and a line says so."""

from __future__ import annotations

import pytest

from robustbench_eff.attacks import PGD
from robustbench_eff.registry import build_benchmark
from robustbench_eff.registry.perturbation import parse_perturbation
from robustbench_eff.registry.usual_radius import perturbations_on


@pytest.mark.parametrize(
    ("benchmark", "asked", "text", "line"),
    [
        ("cifar10", "pgd", "pgd(eps=8/255)", "assumed: pgd with eps=8/255, the usual radius on cifar10"),
        ("cifar100-c", "pgd(steps=3)", "pgd(eps=8/255, steps=3)", "the usual radius on cifar100-c"),
        ("cifar10", "autoattack(norm=l2)", "autoattack(eps=0.5, norm='l2')", "eps=0.5, the usual radius"),
        ("imagenet", "fgsm", "fgsm(eps=4/255)", "assumed: fgsm with eps=4/255, the usual radius on imagenet"),
        ("imagenet", "pgd(norm=l2)", "pgd(eps=3.0, norm='l2')", "eps=3.0, the usual radius"),
        ("cifar10", "pgd(norm=l1)", "pgd(eps=4/255, norm='l1')", "eps=4/255, its default"),
        ("digits", "fgsm", "fgsm(eps=4/255)", "eps=4/255, its default"),
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
