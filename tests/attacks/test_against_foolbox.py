"""FGSM and PGD give Foolbox's images from the same start, and its robust accuracy."""

from __future__ import annotations

import copy

import pytest
import torch

from robustbench_eff.attacks import FGSM, PGD
from robustbench_eff.benchmarks.definitions.digits import DIGITS, open_digits
from robustbench_eff.benchmarks.image_cache import prepare
from robustbench_eff.models.classifier import Classifier

foolbox = pytest.importorskip("foolbox")

EPS = {"linf": 8 / 255, "l2": 1.0}


@pytest.fixture(scope="module")
def samples(digits_standard: Classifier) -> tuple[torch.Tensor, torch.Tensor]:
    prepared = prepare(DIGITS, open_digits(), digits_standard.preprocessing.geometry)
    return prepared.batch(0, 200)


def theirs(attack, classifier: Classifier, samples, eps: float) -> torch.Tensor:
    images, labels = samples
    model = foolbox.PyTorchModel(classifier, bounds=(0, 1), device="cpu")
    return attack(model, images, labels, epsilons=eps)[1]


def robust(classifier: Classifier, images: torch.Tensor, labels: torch.Tensor) -> float:
    with torch.no_grad():
        return (classifier(images).argmax(1) == labels).double().mean().item()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_fgsm_is_foolbox_fgsm(digits_standard: Classifier, samples, norm) -> None:
    kind = foolbox.attacks.FGSM if norm == "linf" else foolbox.attacks.FGM
    expected = theirs(kind(random_start=False), digits_standard, samples, EPS[norm])
    found = FGSM(eps=EPS[norm], norm=norm)(digits_standard, *samples)
    assert (found - expected).abs().max() < 1e-5


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("steps", [1, 10, pytest.param(40, marks=pytest.mark.slow)])
def test_pgd_without_early_stop_is_foolbox_pgd(digits_standard: Classifier, samples, norm, steps: int) -> None:
    """In float64: in float32 a ReLU that switches on the last bit changes a few of the L2 paths."""
    digits_standard = copy.deepcopy(digits_standard).double()
    samples = samples[0].double(), samples[1]
    step = 2.5 * EPS[norm] / steps
    kind = foolbox.attacks.LinfPGD if norm == "linf" else foolbox.attacks.L2PGD
    expected = theirs(kind(steps=steps, abs_stepsize=step, random_start=False), digits_standard, samples, EPS[norm])
    attack = PGD(eps=EPS[norm], norm=norm, steps=steps, random_start=False, early_stop=False)
    assert (attack(digits_standard, *samples) - expected).abs().max() < 1e-5


def test_linf_pgd_is_foolbox_pgd_in_float32_too(digits_standard: Classifier, samples) -> None:
    step = 2.5 * EPS["linf"] / 40
    peer = foolbox.attacks.LinfPGD(steps=40, abs_stepsize=step, random_start=False)
    expected = theirs(peer, digits_standard, samples, EPS["linf"])
    found = PGD(eps=EPS["linf"], steps=40, random_start=False, early_stop=False)(digits_standard, *samples)
    assert (found - expected).abs().max() < 1e-5


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_early_stop_breaks_all_that_foolbox_breaks(digits_standard: Classifier, samples, norm) -> None:
    images, labels = samples
    kind = foolbox.attacks.LinfPGD if norm == "linf" else foolbox.attacks.L2PGD
    step = 2.5 * EPS[norm] / 40
    expected = theirs(kind(steps=40, abs_stepsize=step, random_start=False), digits_standard, samples, EPS[norm])
    found = PGD(eps=EPS[norm], norm=norm, steps=40, random_start=False)(digits_standard, images, labels)
    ours, peer = robust(digits_standard, found, labels), robust(digits_standard, expected, labels)
    assert 0.02 < peer < 0.98, "the comparison says nothing at the ends"
    assert ours <= peer
    assert ours == pytest.approx(peer, abs=0.005)
