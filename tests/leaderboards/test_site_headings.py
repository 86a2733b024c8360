"""Headings of the site: attack, ε and data set in the words of papers."""

from __future__ import annotations

import pytest

from robustbench_eff.core.spec import parse
from robustbench_eff.leaderboards.published import entries, published
from robustbench_eff.leaderboards.site.headings import ATTACKS, NORM_OF, NORMS, heading
from robustbench_eff.registry.attacks import ATTACKS as REGISTERED
from robustbench_eff.registry.perturbation import parse_perturbation


@pytest.mark.parametrize(
    ("benchmark", "perturbation", "metric", "wanted"),
    [
        ("cifar10", "none", "accuracy", "Clean accuracy, CIFAR-10"),
        ("imagenet-a", "none", "accuracy", "Accuracy, ImageNet-A"),
        ("cifar10", "autoattack(eps=8/255)", "robust_accuracy", "AutoAttack, L∞, ε = 8/255, CIFAR-10"),
        ("cifar10", "pgd(eps=0.5, norm='l2', steps=50)", "robust_accuracy", "PGD(steps=50), L2, ε = 0.5, CIFAR-10"),
        (
            "cifar10",
            "the best known attack, linf 8/255",
            "robust_accuracy",
            "Best known attack, L∞, ε = 8/255, CIFAR-10",
        ),
        ("digits", "worst of fgsm, pgd, l2 0.5", "robust_accuracy", "Worst of FGSM, PGD, L2, ε = 0.5, Digits"),
        ("imagenet", "pgd of 100 steps, linf 2/255", "robust_accuracy", "PGD of 100 steps, L∞, ε = 2/255, ImageNet"),
        ("digits", "fmn", "median_distance", "Median distance under FMN, L∞, no limit of ε, Digits"),
        ("digits", "one_pixel(pixels=1)", "robust_accuracy", "one_pixel, L0, ε = 1 pixel, Digits"),
        ("digits", "vendor/mine(eps=3)", "robust_accuracy", "vendor/mine, ε = 3, Digits"),
        (
            "digits",
            "security_curve(eps=[1/255, 2/255])",
            "robust_accuracy@2/255",
            "security_curve, L∞, ε = 2/255, Digits",
        ),
        ("imagenet-c", "imagenet_c", "mCE", "mCE, ImageNet-C"),
        ("imagenet", "imagenet_c", "mean_accuracy", "Mean accuracy under imagenet_c, ImageNet"),
        ("imagenet-c", "fog(severity=3)", "accuracy", "fog, severity 3, ImageNet-C"),
        ("cifar10", "an attack not named", "robust_accuracy", "Robust accuracy under an attack not named, CIFAR-10"),
        ("x", f"pgd(eps={'9' * 5000})", "robust_accuracy", f"Robust accuracy under pgd(eps={'9' * 5000}), x"),
    ],
)
def test_a_heading_says_attack_radius_and_data_set(benchmark: str, perturbation: str, metric: str, wanted: str) -> None:
    assert heading(benchmark, perturbation, metric).text == wanted


def test_every_attack_that_is_shipped_has_its_norm() -> None:
    for name in REGISTERED:
        attack = parse_perturbation(name)
        norm = str(parse(attack.text).arguments.get("norm", NORM_OF.get(name)))
        assert norm == attack.attack.threat.norm, name
        assert NORMS[norm] in heading("digits", attack.text, "robust_accuracy").where
    assert ATTACKS.keys() <= set(REGISTERED)


def test_published_numbers_under_attack_state_their_radius() -> None:
    for entry in entries(published()):
        for result in entry.published:
            if result.metric == "robust_accuracy" and "not named" not in result.perturbation:
                assert "ε = " in heading(result.benchmark, result.perturbation, result.metric).where, result
