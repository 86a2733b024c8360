"""A hint offers what is close and of the right kind, or nothing; names from elsewhere are answered."""

from __future__ import annotations

import re

import pytest

from robustbench_eff.core.errors import SpecError, UsageError, did_you_mean
from robustbench_eff.registry.attacks import ATTACKS
from robustbench_eff.registry.build_corruption import parse_corruption
from robustbench_eff.registry.corruptions import CORRUPTIONS
from robustbench_eff.registry.other_names import OTHER_NAMES
from robustbench_eff.registry.perturbation import parse_attack, parse_perturbation

NAMES = [*ATTACKS.own, *CORRUPTIONS.own]


@pytest.mark.parametrize(
    ("word", "offered"),
    [
        ("pdg", ["pgd"]),
        ("pgdd", ["pgd"]),
        ("PGD", ["pgd"]),
        ("CarliniWagner", ["carlini_wagner"]),
        ("autoattck", ["autoattack"]),
        ("gaussian", ["gaussian_blur", "gaussian_noise"]),
        ("jpeg", ["jpeg_compression"]),
        ("snwo", ["snow"]),
        ("deepfool", []),
        ("patch", []),
        ("targeted", []),
        ("hopskipjump", []),
        ("", []),
    ],
)
def test_only_close_names_are_offered(word: str, offered: list[str]) -> None:
    assert re.findall("'(.*?)'", did_you_mean(word, NAMES)) == offered


def test_a_part_of_a_name_is_close() -> None:
    assert {"gaussian_blur", "glass_blur"} & set(re.findall("'(.*?)'", did_you_mean("blur", NAMES)))


def test_a_field_is_not_offered_for_another() -> None:
    with pytest.raises(SpecError, match=r"does not have a field 'targeted'.\nFields: eps"):
        parse_attack("pgd(targeted=True)")
    with pytest.raises(SpecError, match="Did you mean 'eps'"):
        parse_attack("pgd(epsilon=8/255)")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("deepfool", "foolbox:L2DeepFoolAttack"),
        ("DeepFool", "foolbox:L2DeepFoolAttack"),
        ("cw", "Write carlini_wagner."),
        ("patch", "one_pixel"),
        ("ddn", "foolbox:DDNAttack"),
        ("hop_skip_jump", "foolbox:HopSkipJumpAttack"),
        ("HopSkipJumpAttack", "foolbox:HopSkipJumpAttack"),
        ("targeted", "apgd_t"),
    ],
)
def test_attacks_of_other_libraries_are_answered(name: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_perturbation(name)
    assert words in caught.value.hint
    assert "Did you mean" not in caught.value.hint


def test_a_corruption_of_published_files_keeps_its_fields_in_the_hint() -> None:
    for parse in (parse_perturbation, parse_corruption):
        with pytest.raises(SpecError) as caught:
            parse("near_focus(severity=3)")
        assert "write near_focus(severity=3, constants='imagenet_3dcc')." in caught.value.hint
        with pytest.raises(SpecError, match=r"bubble\(severity=1, constants='bloodmnist'\), or .* 'pathmnist'"):
            parse("bubble")
        parse("near_focus(severity=3, constants='imagenet_3dcc')")


def test_a_set_is_not_one_perturbation() -> None:
    for parse in (parse_perturbation, parse_corruption):
        with pytest.raises(SpecError, match="stands for 95 perturbations, and one is expected here") as caught:
            parse("imagenet_c")
        parse(caught.value.hint.removeprefix("Write one of them, such as ").removesuffix("."))
        with pytest.raises(SpecError, match="takes no fields"):
            parse("imagenet_c(severity=3)")


def test_what_an_answer_names_exists() -> None:
    """Every name in an answer is a row of the tables with these fields, or an attack of Foolbox with them."""
    pytest.importorskip("foolbox")
    known = "|".join(sorted(ATTACKS.own, key=len, reverse=True))
    written = {
        text.replace("pixels=N", "pixels=3")
        for answer in OTHER_NAMES.values()
        for text in re.findall(rf"foolbox:\w+(?:\([^)]*\))?|\b(?:{known})\b(?:\([^)]*\))?", answer)
    }
    assert len(written) > 20
    for text in written:
        assert parse_perturbation(text).kind == "attack", text
