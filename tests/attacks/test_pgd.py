"""PGD: properties beyond the contract."""

from __future__ import annotations

import torch

from robustbench_eff.attacks import FGSM, PGD, Oracle
from robustbench_eff.attacks.random_starts import in_the_ball
from robustbench_eff.benchmarks.definitions.digits import DIGITS, open_digits
from robustbench_eff.benchmarks.image_cache import prepare
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.threat import Threat, distance
from robustbench_eff.models.classifier import Classifier


def digits(classifier: Classifier, count: int = 120) -> tuple[torch.Tensor, torch.Tensor]:
    return prepare(DIGITS, open_digits(), classifier.preprocessing.geometry).batch(0, count)


def survivors(classifier: Classifier, attack, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return classifier(attack(classifier, images, labels)).argmax(1) == labels


def test_one_step_of_length_eps_without_a_random_start_is_fgsm(digits_standard: Classifier) -> None:
    images, labels = digits(digits_standard)
    one = PGD(eps=8 / 255, steps=1, step_size=8 / 255, random_start=False, early_stop=False)
    assert torch.equal(one(digits_standard, images, labels), FGSM(eps=8 / 255)(digits_standard, images, labels))


def test_restarts_never_help_the_model(digits_standard: Classifier) -> None:
    images, labels = digits(digits_standard)
    once = survivors(digits_standard, PGD(eps=8 / 255, steps=5), images, labels)
    thrice = survivors(digits_standard, PGD(eps=8 / 255, steps=5, restarts=3), images, labels)
    assert not (thrice & ~once).any()
    assert thrice.sum() < once.sum()


def test_a_larger_budget_never_raises_robust_accuracy(digits_standard: Classifier) -> None:
    images, labels = digits(digits_standard)
    counts = [
        survivors(digits_standard, PGD(eps=eps / 255, steps=10), images, labels).sum().item()
        for eps in (2, 6, 10, 16, 32)
    ]
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == 0


def test_misclassified_samples_cost_no_further_passes(digits_standard: Classifier) -> None:
    images, labels = digits(digits_standard)
    oracle = Oracle(digits_standard, batch_size=32)
    PGD(eps=16 / 255, steps=20)(oracle, images, labels)
    assert oracle.effort.num_forwards.min() < 20
    assert oracle.effort.num_forwards.max() <= 20
    PGD(eps=16 / 255, steps=20, early_stop=False)(oracle, images, labels)
    assert (oracle.effort.num_forwards == 20).all()
    assert (oracle.effort.num_backwards == 20).all()


def test_random_starts_fill_the_ball() -> None:
    images = torch.full((400, 3, 4, 4), 0.5)
    for norm, eps in (("linf", 0.1), ("l2", 0.3)):
        start = in_the_ball(images, Threat(norm, eps), RandomStreams.of(0, range(400)), "pgd")
        lengths = distance(start, images, norm) / eps
        assert Threat(norm, eps).excess(start, images).max() <= 1e-6
        # Uniform in a 48-dimensional ball: the length to the power 48 is uniform, so its mean is 1/2.
        assert 0.45 < (lengths**48).mean() < 0.55 or norm == "linf"
        assert ((start - images).mean().abs() < 0.01).item()


def test_three_lines_work_on_a_users_module() -> None:
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 4 * 4, 2)).eval()
    images, labels = torch.rand(5, 3, 4, 4, generator=torch.Generator().manual_seed(0)), torch.zeros(5).long()
    assert PGD(eps=8 / 255)(module, images, labels).shape == images.shape
