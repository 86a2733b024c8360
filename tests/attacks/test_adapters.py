"""Attacks of other libraries, by name, with their own options, and seeded."""

from __future__ import annotations

import builtins
import inspect
import random

import numpy as np
import pytest
import torch

from robustbench_eff.attacks import Oracle
from robustbench_eff.attacks.foolbox_adapter import FoolboxAttack, foolbox_attack_uses
from robustbench_eff.attacks.pyautoattack_adapter import PARTS, VARIANTS, PyAutoAttack
from robustbench_eff.benchmarks.definitions.digits import DIGITS, open_digits
from robustbench_eff.benchmarks.image_cache import prepare
from robustbench_eff.core.errors import SpecError
from robustbench_eff.core.threat import Threat
from robustbench_eff.models.classifier import Classifier
from robustbench_eff.registry.perturbation import parse_attack, parse_perturbation

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


FOOLBOX_DECISIONS = {
    "BinarizationRefinementAttack",
    "BinarySearchContrastReductionAttack",
    "BoundaryAttack",
    "DatasetAttack",
    "GaussianBlurAttack",
    "HopSkipJumpAttack",
    "InversionAttack",
    "L2AdditiveGaussianNoiseAttack",
    "L2AdditiveUniformNoiseAttack",
    "L2ClippingAwareAdditiveGaussianNoiseAttack",
    "L2ClippingAwareAdditiveUniformNoiseAttack",
    "L2ClippingAwareRepeatedAdditiveGaussianNoiseAttack",
    "L2ClippingAwareRepeatedAdditiveUniformNoiseAttack",
    "L2ContrastReductionAttack",
    "L2RepeatedAdditiveGaussianNoiseAttack",
    "L2RepeatedAdditiveUniformNoiseAttack",
    "LinearSearchBlendedUniformNoiseAttack",
    "LinearSearchContrastReductionAttack",
    "LinfAdditiveUniformNoiseAttack",
    "LinfRepeatedAdditiveUniformNoiseAttack",
    "PointwiseAttack",
    "SaltAndPepperNoiseAttack",
    "SpatialAttack",
}
FOOLBOX_ONE_GRADIENT = {"FGM", "FGSM", "L1FastGradientAttack", "L2FastGradientAttack", "LinfFastGradientAttack"}
FOOLBOX_LOGITS = {"GenAttack"}


def foolbox_attacks() -> dict[str, type]:
    """Every attack that Foolbox exports, by name; `Attack` is the abstract base class."""
    import foolbox

    return {name: item for name, item in vars(foolbox.attacks).items() if inspect.isclass(item) and name != "Attack"}


@pytest.mark.parametrize("name", foolbox_attacks())
def test_every_foolbox_attack_declares_what_it_uses(name: str) -> None:
    expected = "gradients"
    if name in FOOLBOX_DECISIONS:
        expected = "decisions"
    elif name in FOOLBOX_ONE_GRADIENT:
        expected = "one gradient"
    elif name in FOOLBOX_LOGITS:
        expected = "logits"
    assert foolbox_attack_uses(name) == expected


@pytest.mark.parametrize("name", foolbox_attacks())
def test_foolbox_attacks_use_gradients_if_and_only_if_their_code_does(name: str) -> None:
    modules = {inspect.getmodule(base) for base in foolbox_attacks()[name].__mro__}
    sources = [inspect.getsource(module) for module in modules if module is not builtins]
    takes_gradients = any(call in source for source in sources for call in ("grad(", "value_and_grad"))
    assert (foolbox_attack_uses(name) in ("one gradient", "gradients")) == takes_gradients


def test_an_adapter_declares_what_its_attack_uses() -> None:
    assert FoolboxAttack(name="LinfPGD").uses == "gradients"
    assert FoolboxAttack(name="BoundaryAttack").uses == "decisions"


def test_square_of_pyautoattack_uses_logits_and_the_other_parts_gradients() -> None:
    assert {name: PyAutoAttack(name=name).uses for name in VARIANTS + PARTS} == {
        name: "logits" if name == "square" else "gradients" for name in VARIANTS + PARTS
    }


@pytest.fixture(scope="module")
def samples(digits_standard: Classifier) -> tuple[torch.Tensor, torch.Tensor]:
    return prepare(DIGITS, open_digits(), digits_standard.preprocessing.geometry).batch(0, 8)


@pytest.mark.parametrize(("text", "threat"), TEXTS.items())
def test_the_spec_text_of_an_adapted_attack_builds_an_equal_attack(text: str, threat: Threat) -> None:
    attack = parse_attack(text)
    assert attack.threat == threat
    assert parse_attack(parse_perturbation(text).text) == attack


@pytest.mark.parametrize("text", [text for text in TEXTS if "square" not in text and "l0" not in text])
def test_results_lie_inside_the_threat_model_and_global_generators_are_restored(
    digits_standard: Classifier, samples, text: str
) -> None:
    attack = parse_attack(text)
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    first = attack(digits_standard, *samples)
    assert attack.threat.excess(first, samples[0]).max() <= 1e-5
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()
    assert random.getstate() == before[2]
    torch.manual_seed(7)
    np.random.seed(7)
    assert torch.equal(attack(digits_standard, *samples), first)


def test_an_empty_batch_gives_an_empty_batch(digits_standard: Classifier, samples) -> None:
    for text in TEXTS:
        assert len(parse_attack(text)(digits_standard, samples[0][:0], samples[1][:0])) == 0


def test_foreign_attacks_query_the_plain_network(digits_standard: Classifier, samples) -> None:
    oracle = Oracle(digits_standard, precision="bfloat16")
    parse_attack("foolbox:LinfPGD(eps=8/255, steps=5)")(oracle, *samples)
    assert oracle.query_mode == "float32, as it is"
    assert (oracle.effort.num_backwards == -1).all()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("foolbox:LinfPG", "Did you mean 'LinfPGD'"),
        ("foolbox:LinfPGD(step=3)", "unexpected keyword argument 'step'"),
        ("foolbox:GaussianBlurAttack", "does not define a norm"),
        ("foolbox:LinfPGD(eps=8)", "Did you mean 8/255"),
        ("foolbox:BoundaryAttack(eps=none, tensorboard=logs)", "would write files"),
        ("autoattack:standart", "does not have 'standart'"),
        ("autoattack:standard(epz=1)", "does not have a field 'epz'"),
    ],
)
def test_a_wrong_name_or_option_is_reported(text: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_attack(text)
    assert words in f"{caught.value.message} {caught.value.hint}"
