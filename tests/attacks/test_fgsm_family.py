"""MI-FGSM, R-FGSM and BIM: properties beyond the contract."""

from __future__ import annotations

import pytest
import torch

from robustbench_eff.attacks import FGSM, PGD, Oracle
from robustbench_eff.attacks.bim import BIM
from robustbench_eff.attacks.mi_fgsm import MIFGSM
from robustbench_eff.attacks.r_fgsm import RFGSM
from robustbench_eff.benchmarks.definitions.digits import DIGITS, open_digits
from robustbench_eff.benchmarks.image_cache import prepare
from robustbench_eff.core.errors import SpecError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.threat import distance, steepest_ascent
from robustbench_eff.core.types import Images, Labels
from robustbench_eff.models.classifier import Classifier


def digits(classifier: Classifier, count: int = 60) -> tuple[Images, Labels]:
    return prepare(DIGITS, open_digits(), classifier.preprocessing.geometry).batch(0, count)


def robust(classifier: Classifier, attack, images: Images, labels: Labels) -> int:
    with torch.no_grad():
        return int((classifier(attack(classifier, images, labels)).argmax(1) == labels).sum())


def gradient_of(classifier: Classifier, images: Images, labels: Labels) -> Images:
    pixels = images.clone().requires_grad_(True)
    torch.nn.functional.cross_entropy(classifier(pixels), labels, reduction="sum").backward()
    return pixels.grad


def test_bim_is_pgd_without_a_random_start(digits_standard: Classifier) -> None:
    images, labels = digits(digits_standard)
    for norm, eps in (("linf", 8 / 255), ("l2", 1.0), ("l1", 10.0)):
        bim = BIM(norm=norm, eps=eps, steps=5)(digits_standard, images, labels)
        pgd = PGD(norm=norm, eps=eps, steps=5, step_size=eps / 5, random_start=False)
        assert torch.equal(bim, pgd(digits_standard, images, labels))
        assert distance(bim, images, norm).max() > 0.5 * eps


@pytest.mark.parametrize("attack", [BIM, MIFGSM])
def test_one_step_is_fgsm(digits_standard: Classifier, attack) -> None:
    images, labels = digits(digits_standard)
    for norm in ("linf", "l2"):
        one = attack(eps=8 / 255, norm=norm, steps=1, early_stop=False)(digits_standard, images, labels)
        assert torch.allclose(one, FGSM(eps=8 / 255, norm=norm)(digits_standard, images, labels), atol=1e-6)


def test_without_momentum_mi_fgsm_is_bim(digits_standard: Classifier) -> None:
    images, labels = digits(digits_standard)
    still = MIFGSM(eps=8 / 255, steps=4, momentum=0.0)(digits_standard, images, labels)
    assert torch.equal(still, BIM(eps=8 / 255, steps=4)(digits_standard, images, labels))
    moved = MIFGSM(eps=8 / 255, steps=4)(digits_standard, images, labels)
    assert not torch.equal(still, moved)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_momentum_sums_gradients_of_l1_length_1(digits_standard: Classifier, norm: str) -> None:
    """Two steps computed by hand."""
    images, labels = digits(digits_standard, 10)
    eps = 8 / 255 if norm == "linf" else 1.0
    first = gradient_of(digits_standard, images, labels)
    first = first / first.abs().sum((1, 2, 3), keepdim=True)
    middle = (images + eps / 2 * steepest_ascent(first, norm)).clamp(0, 1)
    second = gradient_of(digits_standard, middle, labels)
    second = 0.5 * first + second / second.abs().sum((1, 2, 3), keepdim=True)
    expected = (middle + eps / 2 * steepest_ascent(second, norm)).clamp(0, 1)
    attack = MIFGSM(eps=eps, norm=norm, steps=2, momentum=0.5, early_stop=False)
    difference = (attack(digits_standard, images, labels) - expected).abs().amax((1, 2, 3))
    assert difference.median() < 1e-5  # a sign of a gradient that is almost zero may differ


def test_misclassified_samples_cost_no_further_passes(digits_standard: Classifier) -> None:
    images, labels = digits(digits_standard)
    oracle = Oracle(digits_standard)
    adversarial = MIFGSM(eps=16 / 255, steps=10)(oracle, images, labels)
    effort = oracle.effort
    with torch.no_grad():
        wrong = digits_standard(adversarial).argmax(1) != labels
    assert effort.num_backwards.min() < 10
    assert wrong[effort.num_backwards < 10].all()
    assert (effort.num_forwards == effort.num_backwards).all()
    MIFGSM(eps=16 / 255, steps=10, early_stop=False)(oracle, images, labels)
    assert (oracle.effort.num_backwards == 10).all()


def test_more_steps_break_more_samples_than_one(digits_standard: Classifier) -> None:
    images, labels = digits(digits_standard)
    once = robust(digits_standard, FGSM(eps=10 / 255), images, labels)
    assert robust(digits_standard, BIM(eps=10 / 255), images, labels) < once
    assert robust(digits_standard, MIFGSM(eps=10 / 255), images, labels) < once


def test_r_fgsm_steps_from_the_random_start_of_its_draws(digits_standard: Classifier) -> None:
    images, labels = digits(digits_standard, 10)
    eps = 8 / 255
    draws = RandomStreams.of(7, range(10))
    uniform = 2 * draws.uniform(images.shape[1:], stream="r_fgsm/start") - 1
    start = (images + eps * uniform).clamp(0, 1)
    step = 1.25 * eps * gradient_of(digits_standard, start, labels).sign()
    expected = (start + step).clamp(images - eps, images + eps).clamp(0, 1)
    assert torch.allclose(RFGSM(eps=eps)(digits_standard, images, labels, draws), expected, atol=1e-6)


def test_from_a_random_sign_the_step_is_half_of_eps(digits_standard: Classifier) -> None:
    """So each pixel ends at the clean value or eps away, unless it reaches black or white."""
    images, labels = digits(digits_standard, 20)
    images = images * 0.8 + 0.1
    eps = 8 / 255
    moved = RFGSM(eps=eps, start="sign")(digits_standard, images, labels) - images
    steps = (moved / eps).abs()
    assert ((steps < 1e-3) | ((steps - 1).abs() < 1e-3) | ((steps - 0.5).abs() < 1e-3)).all()
    assert 0.4 < (steps < 1e-3).float().mean() < 0.6
    full = RFGSM(eps=eps, start="sign", step_size=2 * eps)(digits_standard, images, labels) - images
    assert full.abs().median() == pytest.approx(eps, abs=1e-6)


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(SpecError, match="start=sign requires norm=linf"):
        RFGSM(start="sign", norm="l2")
    with pytest.raises(SpecError, match="start must be uniform or sign, got 'zero'"):
        RFGSM(start="zero")
    with pytest.raises(SpecError, match="norm must be linf or l2, got 'l1'"):
        MIFGSM(norm="l1")
    with pytest.raises(SpecError, match="steps must be >= 1"):
        MIFGSM(steps=0)
    with pytest.raises(SpecError, match="must be >= 1, got 0"):
        BIM(steps=0)
