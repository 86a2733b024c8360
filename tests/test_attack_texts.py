"""The text of an attack means the same after it was made canonical, whatever its fields."""

from __future__ import annotations

import pytest

from robustbench_eff.core.errors import SpecError
from robustbench_eff.registry.perturbation import parse_attack, parse_perturbation

TEXTS = (
    "apgd(eps=0.5, norm=l2, loss=dlr, restarts=2)",
    "apgd_t(norm=l1, eps=12, shrinking_ball=true, targets=5)",
    "autoattack(variant=rand)",
    "autoattack(eps=8/255, variant=plus)",
    "carlini_wagner(eps=0.5)",
    "fab_t(eps=none, norm=l2)",
    "fmn(eps=4/255)",
    "one_pixel(pixels=3)",
    "r_fgsm(start=sign)",
    "security_curve(eps=[1/255, 3/255], steps=5)",
    "square(norm=l2, eps=0.5, queries=10)",
    "foolbox:LinfPGD(steps=5, rel_stepsize=0.1)",
    "autoattack:rand(eps=8/255)",
    "pgd(steps=3) from digits_standard",
    "fgsm from digits_standard",
)


@pytest.mark.parametrize("text", TEXTS)
def test_canonical_text_builds_the_same_attack(text: str) -> None:
    canonical = parse_perturbation(text).text
    assert parse_attack(canonical) == parse_attack(text)
    assert parse_perturbation(canonical).text == canonical
    assert parse_perturbation(canonical).transfer_from == parse_perturbation(text).transfer_from


def test_different_attacks_have_different_texts() -> None:
    assert len({parse_perturbation(text).text for text in TEXTS}) == len(TEXTS)


def test_an_attack_that_stops_at_the_boundary_is_not_transferred() -> None:
    assert not parse_attack("pgd from digits_standard").early_stop
    with pytest.raises(SpecError, match="stops at the surrogate's decision boundary"):
        parse_attack("apgd from digits_standard")
