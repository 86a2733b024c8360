"""Robust accuracy under the worst of several attacks: sample by sample, and never above any of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outcome_tables import attack_cell, table
from robustbench_eff import evaluate
from robustbench_eff.scores.cell_groups import CellOutcomes
from robustbench_eff.scores.score_function import ScoreContext
from robustbench_eff.scores.worst_case import worst_case_scores
from robustbench_eff.storage.store import Store

EPS = 8 / 255


def worst(*cells, **options):
    """The scores of these cells, whose ids are their numbers."""
    items = [CellOutcomes(replace(cell, id=str(number)), outcomes) for number, (cell, outcomes) in enumerate(cells)]
    return worst_case_scores(items, ScoreContext(**options))


rights = st.integers(2, 5).flatmap(
    lambda attacks: st.integers(1, 40).flatmap(
        lambda n: st.lists(st.lists(st.booleans(), min_size=n, max_size=n), min_size=attacks, max_size=attacks)
    )
)


@settings(deadline=None)
@given(rights)
def test_it_is_a_brute_force_count_and_never_above_the_smallest(found: list[list[bool]]) -> None:
    cells = [
        (attack_cell(len(right), f"attack{number}", EPS), table(len(right), correct=right))
        for number, right in enumerate(found)
    ]
    (score,) = worst(*cells)
    survivors = sum(all(right[row] for right in found) for row in range(len(found[0])))
    assert score.value == survivors / len(found[0])
    assert score.value <= min(np.mean(right) for right in found)
    assert (score.perturbation, score.n) == (
        f"worst of {', '.join(f'attack{number}' for number in range(len(found)))}, linf 8/255",
        len(found[0]),
    )


def test_what_breaks_a_sample_in_a_smaller_ball_breaks_it_in_a_larger_one() -> None:
    small = (attack_cell(4, "small", 4 / 255), table(4, correct=[True, True, False, True]))
    large = (attack_cell(4, "large", EPS), table(4, correct=[True, False, True, True]))
    other = (attack_cell(4, "other", 0.5, "l2"), table(4, correct=[False] * 4))
    (score,) = worst(small, large, other)
    assert (score.value, score.perturbation) == (0.5, "worst of large, small, linf 8/255")


def test_a_search_for_the_nearest_image_counts_with_what_it_found_inside_the_ball() -> None:
    nearest = (
        attack_cell(4, "fmn", None),
        table(4, correct=[False, False, True, False], distance_linf=[0.01, 0.5, 0.0, EPS], label=[0, 0, 0, 1]),
    )
    pgd = (attack_cell(4, "pgd", EPS), table(4, correct=[True, True, True, False], label=[0, 0, 0, 1]))
    (score,) = worst(nearest, pgd)
    assert score.value == 0.5, "found within: the first; found beyond: the second; wrong when clean: the fourth"


def test_an_unfinished_attack_is_left_out_and_said() -> None:
    done = [(attack_cell(4, f"attack{n}", EPS), table(4, correct=[True] * 4)) for n in range(2)]
    half = (attack_cell(4, "square", EPS), table(2, correct=[False] * 2))
    (score,) = worst(*done, half)
    assert (score.value, score.flags) == (1.0, ("square is incomplete and left out",))


def test_runs_of_one_attack_are_one_attack() -> None:
    """With another seed, or in another precision, it is a restart."""
    runs = [
        (attack_cell(4, "pgd(eps=8/255)", EPS, seed=seed), table(4, correct=np.arange(4) != seed)) for seed in (0, 1)
    ]
    (score,) = worst(*runs)
    assert (score.perturbation, score.value) == ("worst of pgd in 2 runs, linf 8/255", 0.5)
    assert score.protocol.seeds == (0, 1)


def test_seeds_and_precisions_of_the_attacks_are_those_of_the_worst_case() -> None:
    right = table(4, correct=[True] * 4)
    half = {"configuration": {"precision": "float16"}}
    (score,) = worst((attack_cell(4, "a", EPS, seed=0, **half), right), (attack_cell(4, "b", EPS, **half), right))
    assert str(score.protocol) == "4 images · seed 0 · attacked in float16, judged in float32 · worst of a and b"
    (score,) = worst((attack_cell(4, "a", EPS, **half), right), (attack_cell(4, "b", EPS), right))
    assert str(score.protocol) == "4 images · attacked in float16 and float32, judged in float32 · worst of a and b"


def test_what_is_known_of_an_attack_is_known_of_the_worst_case() -> None:
    flagged = (
        attack_cell(2, "a", EPS),
        table(2, correct=[True] * 2, flag=["not_finite", ""], note=["fewer steps"] * 2),
    )
    other = (attack_cell(2, "b", EPS), table(2, correct=[True] * 2))
    (score,) = worst(flagged, other, suspicions={"1": ("masking suspected: black_box",)})
    assert score.flags == ("fewer steps", "not_finite: 1", "masking suspected: black_box")


def test_attacks_on_other_samples_or_classes_are_not_put_together() -> None:
    one = (attack_cell(4, "a", EPS), table(4, correct=[True] * 4))
    for other in ({"data": "other"}, {"classes": "other"}, {"model_digest": "other"}, {"preprocessing": "other"}):
        two = (attack_cell(4, "b", EPS, **other), table(4, correct=[False] * 4))
        assert worst(one, two) == []


def test_of_a_real_run_it_is_what_the_outcomes_say(tmp_path) -> None:
    attacks = ["fgsm(eps=16/255)", "pgd(eps=16/255, steps=3)", "square(eps=16/255, queries=50)", "pgd(eps=8/255)"]
    result = evaluate("digits_standard", attacks=attacks, limit=64, store=tmp_path / "store")
    found = {score.perturbation: score.value for score in result.scores if score.metric == "robust_accuracy"}
    store = Store(tmp_path / "store")
    tables = [store.outcomes(key) for key, cell in store.cells().items() if cell.perturbation != "none"]
    survivors = sum(all(rows) for rows in zip(*(one["correct"].to_pylist() for one in tables), strict=True))
    assert found["worst of fgsm, pgd ×2, square, linf 16/255"] == survivors / 64
    single = [value for text, value in found.items() if not text.startswith("worst")]
    assert len(single) == 4
    assert found["worst of fgsm, pgd ×2, square, linf 16/255"] <= min(single)


@pytest.mark.parametrize("radii", [(0.25, 0.5, 1.0), (1.0, 0.5, 0.25)])
def test_the_area_under_a_security_curve_is_that_of_the_trapezoids(radii: tuple[float, ...]) -> None:
    from robustbench_eff.scores.distances import distance_scores

    cell = attack_cell(4, "security_curve", 1.0, configuration={"eps": list(radii)})
    distances = [0.3, 0.75, 0.0, 0.2]
    outcomes = table(4, correct=[False, False, True, False], distance_linf=distances, label=[0, 0, 0, 0])
    scores = {score.metric: score for score in distance_scores(CellOutcomes(cell, outcomes))}
    accuracies = [1.0, 0.75, 0.5, 0.25]
    assert [scores[f"robust_accuracy@{eps}"].value for eps in sorted(radii)] == accuracies[1:]
    area = scores["security_curve_area"]
    assert area.value == pytest.approx(np.trapezoid(accuracies, [0, 0.25, 0.5, 1.0]))
    assert area.low <= area.value <= area.high
