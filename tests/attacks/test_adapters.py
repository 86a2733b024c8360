"""Attacks of other libraries, by name, with their own options, seeded."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from robustbench_eff.attacks import Oracle
from robustbench_eff.benchmarks.definitions.digits import DIGITS, open_digits
from robustbench_eff.benchmarks.image_cache import prepare
from robustbench_eff.core.errors import SpecError
from robustbench_eff.core.threat import Threat
from robustbench_eff.models.classifier import Classifier
from robustbench_eff.registry import build_attack

pytest.importorskip("foolbox")
pytest.importorskip("pyautoattack")

TEXTS = {
    "foolbox:LinfPGD(eps=8/255, steps=5)": Threat("linf", 8 / 255),
    "foolbox:L2DeepFoolAttack(eps=None, steps=10)": Threat("l2", float("inf")),
    "foolbox:L1FMNAttack(eps=12.0, steps=10)": Threat("l1", 12.0),
    "foolbox:SaltAndPepperNoiseAttack(eps=20, norm='l0', steps=5)": Threat("l0", 20),
    "autoattack:apgd-ce(eps=8/255, norm='linf')": Threat("linf", 8 / 255),
    "autoattack:square(eps=0.5, norm='l2')": Threat("l2", 0.5),
}


@pytest.fixture(scope="module")
def samples(digits_standard: Classifier) -> tuple[torch.Tensor, torch.Tensor]:
    return prepare(DIGITS, open_digits(), digits_standard.preprocessing.geometry).batch(0, 8)


@pytest.mark.parametrize(("text", "threat"), TEXTS.items())
def test_the_text_of_an_adapted_attack_reads_back(text: str, threat: Threat) -> None:
    attack = build_attack.attack(text)
    assert attack.threat == threat
    assert build_attack.attack(build_attack.attack_text(text)) == attack


@pytest.mark.parametrize("text", [text for text in TEXTS if "square" not in text and "l0" not in text])
def test_it_stays_inside_and_touches_no_generator(digits_standard: Classifier, samples, text: str) -> None:
    attack = build_attack.attack(text)
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    first = attack(digits_standard, *samples)
    assert attack.threat.excess(first, samples[0]).max() <= 1e-5
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()
    assert random.getstate() == before[2]
    torch.manual_seed(7)
    np.random.seed(7)
    assert torch.equal(attack(digits_standard, *samples), first)


def test_an_empty_batch_is_no_obstacle(digits_standard: Classifier, samples) -> None:
    for text in TEXTS:
        assert len(build_attack.attack(text)(digits_standard, samples[0][:0], samples[1][:0])) == 0


def test_foreign_attacks_query_the_plain_network(digits_standard: Classifier, samples) -> None:
    oracle = Oracle(digits_standard, twin="bfloat16")
    build_attack.attack("foolbox:LinfPGD(eps=8/255, steps=5)")(oracle, *samples)
    assert oracle.query_mode == "float32, as it is"
    assert (oracle.effort.num_backwards == -1).all()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("foolbox:LinfPG", "Did you mean 'LinfPGD'"),
        ("foolbox:LinfPGD(step=3)", "unexpected keyword argument 'step'"),
        ("foolbox:GaussianBlurAttack", "does not say its norm"),
        ("foolbox:LinfPGD(eps=8)", "Did you mean 8/255"),
        ("autoattack:standart", "has no 'standart'"),
        ("autoattack:standard(epz=1)", "no field 'epz'"),
    ],
)
def test_a_wrong_name_or_option_is_said(text: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        build_attack.attack(text)
    assert words in f"{caught.value.message} {caught.value.hint}"
