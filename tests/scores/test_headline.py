"""Which number leads: the worst case of a ball before its parts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from robustbench_eff.core.protocol import Protocol
from robustbench_eff.scores.headline import ball_of, by_ball, headlines, leading
from robustbench_eff.scores.score import Ball, Score

IMAGES = Protocol(description="100 images")


def score(perturbation: str, metric: str = "robust_accuracy", value: float | None = 0.5, **given) -> Score:
    made = {"model": "m", "benchmark": "digits", "low": 0.4, "high": 0.6, "n": 100, "protocol": IMAGES} | given
    return Score(perturbation=perturbation, metric=metric, value=value, **made)


def attack(perturbation: str, eps: float | None, norm: str = "linf", **given) -> Score:
    configuration = {"threat": {"norm": norm, "eps": eps}} | given.pop("configuration", {})
    return score(perturbation, kind="attack", cell=perturbation, configuration=configuration, **given)


def union(eps: float, norm: str = "linf", **given) -> Score:
    return score(f"worst of some, {norm} {eps:g}", kind="several", ball=Ball(norm, eps), **given)


CLEAN = score("none", "accuracy", 0.9, cell="clean")


def names(scores: list[Score]) -> list[str]:
    return [one.perturbation for one in scores]


def test_clean_is_first_then_each_ball_with_its_headline_before_its_parts() -> None:
    scores = [attack("b", 0.2), attack("two", 0.5, "l2"), attack("a", 0.1), attack("c", 0.1), CLEAN]
    scores += [union(0.2), union(0.1)]
    ordered = by_ball(scores)
    first, second = "worst of some, linf 0.1", "worst of some, linf 0.2"
    assert names(ordered) == ["none", first, "a", "c", second, "b", "two"]
    leads = [one.perturbation for one, is_one in zip(ordered, headlines(ordered), strict=True) if is_one]
    assert leads == [first, second, "two"]


def test_a_single_attack_is_the_headline_of_its_ball() -> None:
    assert headlines([CLEAN, attack("a", 0.1)]) == [False, True]
    assert headlines([attack("a", 0.1), attack("a", 0.1, metric="robust_accuracy_8bit")]) == [True, False]


def test_a_ball_whose_attacks_were_never_taken_together_has_none() -> None:
    assert headlines([attack("a", 0.1), attack("b", 0.1, flags=("incomplete: 5 of 100",))]) == [False, False]


def test_what_failed_is_not_a_headline() -> None:
    assert headlines([attack("a", 0.1, value=None)]) == [False]


def test_other_models_images_and_classifiers_have_headlines_of_their_own() -> None:
    others = [
        attack("a", 0.1),
        attack("a", 0.1, model="other"),
        attack("a", 0.1, benchmark="other"),
        attack("a", 0.1, protocol=Protocol(description="50 images")),
        attack("a", 0.1, protocol=replace(IMAGES, smoothing="with noise")),
    ]
    assert headlines(others) == [True] * 5
    assert headlines([attack("a", 0.1), attack("b", 0.1, protocol=replace(IMAGES, seeds=(1,)))]) == [False] * 2


@pytest.mark.parametrize(
    ("found", "ball"),
    [
        (attack("fmn", None), None),
        (attack("curve", 0.3, configuration={"eps": [0.1, 0.3]}), None),
        (
            attack("curve", 0.3, metric="robust_accuracy@8/255", configuration={"eps": [0.1, 0.3]}),
            Ball("linf", 8 / 255),
        ),
        (attack("pgd", 0.1, metric="worst_class_robust_accuracy"), Ball("linf", 0.1)),
        (union(0.1, "l2"), Ball("l2", 0.1)),
        (CLEAN, None),
        (score("of a plugin", kind="attack"), None),
    ],
)
def test_the_ball_of_a_score(found: Score, ball: Ball | None) -> None:
    assert ball_of(found) == ball


def test_searches_without_a_radius_follow_the_balls_of_their_norm() -> None:
    scores = [attack("fmn", None), attack("two", 0.5, "l2"), attack("a", 0.1), score("of a plugin", kind="attack")]
    assert names(by_ball(scores)) == ["a", "fmn", "two", "of a plugin"]


def test_the_ball_that_most_attacks_search_leads() -> None:
    scores = [CLEAN, attack("a", 0.1), attack("b", 0.2), attack("c", 0.2), union(0.2), attack("two", 0.5, "l2")]
    assert names(leading(scores)) == ["worst of some, linf 0.2"]
    assert names(leading([CLEAN, attack("two", 0.5, "l2"), attack("a", 0.1)])) == ["a"], "equally many: by norm"
    assert leading([CLEAN]) == []


def test_curves_count_at_each_of_their_radii_and_unfinished_attacks_do_not() -> None:
    def curve(name: str, **given) -> list[Score]:
        radii = {"configuration": {"eps": [0.1, 0.3]}} | given
        return [attack(name, 0.3, metric=f"robust_accuracy@{eps}", **radii) for eps in (0.1, 0.3)]

    scores = [attack("a", 0.1), attack("b", 0.2), attack("c", 0.2), union(0.1), union(0.2), union(0.3)]
    assert names(leading([*scores, *curve("d")])) == ["worst of some, linf 0.1"], "equally many: the smaller radius"
    assert names(leading([*scores, *curve("d"), *curve("e")])) == ["worst of some, linf 0.1"]
    for left_out in ({"flags": ("incomplete: 5 of 100",)}, {"value": None}):
        assert names(leading([*scores, *curve("d", **left_out)])) == ["worst of some, linf 0.2"]
    assert names(leading([*scores, *curve("d"), attack("f", 0.2)])) == ["worst of some, linf 0.2"]
