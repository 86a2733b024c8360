"""Spec texts: what they build, what they refuse, and in which words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robustbench_eff.attacks import FGSM, PGD
from robustbench_eff.core import spec
from robustbench_eff.core.errors import SpecError
from robustbench_eff.registry.perturbation import parse_attack, parse_perturbation


def test_a_fraction_is_read_exactly() -> None:
    assert parse_attack("pgd(eps=4/255, steps=50)") == PGD(eps=4 / 255, steps=50)
    assert parse_attack("fgsm") == FGSM()
    assert parse_attack("pgd(eps=1, norm=l2)") == PGD(eps=1.0, norm="l2")


def test_text_leaves_defaults_out_and_writes_fractions() -> None:
    assert parse_perturbation("pgd(steps=10, eps=0.01568627450980392)").text == "pgd(eps=4/255)"
    assert parse_perturbation("pgd(eps=0.5, norm='l2', step_size=None)").text == "pgd(eps=0.5, norm='l2')"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_reads_back_equal(value: float) -> None:
    assert spec.number(spec.literal(value)) == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("pgd(stepz=5)", "Did you mean 'steps'"),
        ("pdg", "Did you mean 'pgd'"),
        ("pgd(eps=8)", "in units of .* got 8.\nDid you mean 8/255"),
        ("pgd(eps=0)", "must be > 0"),
        ("pgd(eps=nan)", "must be float"),
        ("pgd(norm='l7')", "must be 'linf' or 'l2'"),
        ("pgd(steps=2.5)", "must be int"),
        ("pgd(steps=0)", "must be >= 1"),
        ("pgd(steps=True)", "must be int"),
        ("pgd(5)", "key=value"),
        ("pgd(eps=__import__('os').getpid())", "neither a literal nor a fraction"),
        ("pgd(eps=1/0)", "neither a literal nor a fraction"),
        ("pgd(eps=4/255", "Cannot read"),
        (f"pgd(eps={'9' * 400}/255)", "Cannot read the arguments"),
        (f"pgd(eps={'-' * 9999}1)", "Cannot read the arguments"),
        ("pgd(restarts=2, random_start=False)", "all be the same"),
        ("", "Cannot read"),
    ],
)
def test_a_wrong_text_is_refused_with_a_reason(text: str, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        parse_attack(text)


def test_a_list_of_attacks_is_split_at_its_own_commas() -> None:
    assert spec.split("fgsm, pgd(eps=4/255, steps=10),") == ["fgsm", "pgd(eps=4/255, steps=10)"]


@pytest.mark.parametrize(
    "name",
    [
        "my.py:Mine",
        "./my.py:Mine",
        "../up/my.py:Mine",
        "/a/b.py:Mine",
        "~/a-b/my.py:Mine",
        "/ä/c++/v1.2/my.py:Mine",
        "C:\\me\\my.py:Mine",
        "package.module:Mine",
        "vendor/attack",
    ],
)
def test_a_name_may_be_a_place_in_a_users_file(name: str) -> None:
    assert spec.parse(name) == spec.Spec(name, {})
    assert spec.parse(f" {name}(eps=4/255, steps=3) ") == spec.Spec(name, {"eps": 4 / 255, "steps": 3})
    assert spec.split(f"fgsm, {name}(eps=4/255), pgd") == ["fgsm", f"{name}(eps=4/255)", "pgd"]


@pytest.mark.parametrize("text", ["./my.py", "/a/b:Mine", "my dir/my.py:Mine", "~:Mine", "fgsm from my.py:f"])
def test_other_texts_are_not_names(text: str) -> None:
    with pytest.raises(SpecError, match="Cannot read"):
        spec.parse(text)
