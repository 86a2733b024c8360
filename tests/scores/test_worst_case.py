"""Robust accuracy under the worst of several attacks: sample by sample, and never above any of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import trapezoid

from outcome_tables import attack_cell, table
from robustbench_eff import evaluate
from robustbench_eff.core.metric import metric_of
from robustbench_eff.core.protocol import Protocol
from robustbench_eff.core.statistics import proportion_interval
from robustbench_eff.leaderboards.build_table import build_table
from robustbench_eff.leaderboards.columns import layout
from robustbench_eff.leaderboards.entry import Entry, Result
from robustbench_eff.leaderboards.entry import shipped as all_shipped
from robustbench_eff.leaderboards.validation import problems
from robustbench_eff.scores.cell_groups import CellOutcomes
from robustbench_eff.scores.score import Score
from robustbench_eff.scores.score_function import ScoreContext
from robustbench_eff.scores.worst_case import worst_case_scores
from robustbench_eff.storage.store import Store

EPS = 8 / 255


def worst(*cells, **options):
    """The scores of these cells, whose ids are their numbers."""
    items = [CellOutcomes(replace(cell, id=str(number)), outcomes) for number, (cell, outcomes) in enumerate(cells)]
    return worst_case_scores(items, ScoreContext(**options))


def as_result(score: Score) -> Result:
    """The score as it stands in an entry."""
    names = ("benchmark", "perturbation", "metric", "value", "low", "high", "n", "protocol", "flags")
    return Result(**{name: getattr(score, name) for name in names})


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


def curve(radii: list[float], distances: list[float]):
    """A finished security curve of samples that are right when clean."""
    n = len(distances)
    outcomes = table(n, correct=[not np.isfinite(of) for of in distances], distance_linf=distances)
    return attack_cell(n, f"security_curve(eps={tuple(radii)})", max(radii), configuration={"eps": radii}), outcomes


def test_at_a_radius_of_a_curve_alone_everything_found_inside_counts() -> None:
    weak = curve([EPS, 12 / 255], [0.02, np.inf, np.inf, np.inf])
    small = (attack_cell(4, "pgd", 6 / 255), table(4, correct=[True, False, True, True]))
    nearest = (
        attack_cell(4, "fmn", None),
        table(4, correct=[False] * 4, distance_linf=[0.5, 0.5, 11 / 255, 13 / 255]),
    )
    found = {score.ball.eps: score for score in worst(weak, small, nearest)}
    assert {eps: score.value for eps, score in found.items()} == {6 / 255: 0.5, EPS: 0.5, 12 / 255: 0.25}
    assert found[12 / 255].perturbation == "worst of fmn, pgd, security_curve, linf 12/255"
    assert worst(weak) == [], "one attack alone is no worst case"
    assert [score.ball.eps for score in worst(weak, nearest)] == [EPS, 12 / 255]


@pytest.mark.parametrize("unknown", [np.nan, -1.0])
def test_an_attack_with_unknown_distances_is_left_out_and_said(unknown: float) -> None:
    done = [(attack_cell(2, f"attack{n}", EPS), table(2, correct=[True] * 2)) for n in range(2)]
    broken = (attack_cell(2, "fmn", None), table(2, correct=[False] * 2, distance_linf=[unknown, 0.5]))
    (score,) = worst(*done, broken)
    assert (score.value, score.flags) == (1.0, ("fmn has unknown distances and is left out",))
    assert worst(done[0], broken) == []


def test_a_curve_with_unknown_distances_has_its_scores_without_values() -> None:
    from robustbench_eff.scores.distances import distance_scores

    cell, outcomes = curve([EPS, 12 / 255], [0.02, np.nan, np.inf])
    outcomes = outcomes.set_column(outcomes.column_names.index("correct"), "correct", [[False, False, True]])
    scores = distance_scores(CellOutcomes(cell, outcomes))
    assert [score.metric for score in scores] == [
        "security_curve_area",
        "robust_accuracy@8/255",
        "robust_accuracy@12/255",
        "median_distance_linf",
    ]
    assert {(score.value, score.low, score.high, score.flags) for score in scores} == {
        (None, None, None, ("unknown distances: 1",))
    }
    assert scores[-1].searched_to == 12 / 255


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
    assert area.value == pytest.approx(trapezoid(accuracies, [0, 0.25, 0.5, 1.0]))
    assert area.low <= area.value <= area.high


def test_attacks_of_one_name_are_counted_and_the_protocol_has_their_texts() -> None:
    right = table(4, correct=[True] * 4)
    texts = ["pgd(eps=8/255, steps=5)", "fgsm(eps=8/255)", "pgd(eps=4/255)", "fgsm(eps=8/255)"]
    cells = [(attack_cell(4, text, EPS, seed=seed), right) for seed, text in enumerate(texts)]
    (score,) = worst(*cells)
    assert score.perturbation == "worst of fgsm, pgd ×2 in 4 runs, linf 8/255"
    assert score.protocol.attacks == ("fgsm(eps=8/255)", "pgd(eps=4/255)", "pgd(eps=8/255, steps=5)")
    assert worst(*cells[::-1])[0].protocol == score.protocol
    assert Protocol.from_record(score.protocol.changed_fields()) == score.protocol
    assert score.protocol.of_images().attacks == ()


@pytest.mark.parametrize(
    ("attacks", "sentence"),
    [
        (("fgsm(eps=4/255)",), "worst of fgsm(eps=4/255)"),
        (("fgsm(eps=4/255)", "pgd(eps=4/255, steps=5)"), "worst of fgsm(eps=4/255) and pgd(eps=4/255, steps=5)"),
        (("fmn", "fgsm(eps=1)", "fgsm(eps=2)"), "worst of fgsm at eps = 1 and 2; fmn"),
        (("fmn(eps=None, steps=9)", "fmn(eps=2, steps=9)"), "worst of fmn(eps=None, steps=9) and fmn(eps=2, steps=9)"),
        (("fmn(eps=None)", "fmn(eps=1)", "fmn(eps=2)"), "worst of fmn at eps = 1 and 2; fmn(eps=None)"),
        (("fmn(steps=9, eps=None)", "fmn(eps=2)"), "worst of fmn(steps=9, eps=None) and fmn(eps=2)"),
        (("fgsm", "fgsm(eps=1)", "fgsm(eps=2)"), "worst of fgsm at eps = 1 and 2; fgsm"),
        (
            ("a(eps=1, b=2)", "a(eps=2, b=2)", "c(b=2, eps=1)", "c(b=2, eps=2)", "security_curve(eps=(0.1, 0.2))"),
            "worst of a(b=2) and c(b=2) at eps = 1 and 2; security_curve(eps=(0.1, 0.2))",
        ),
    ],
)
def test_the_sentence_has_attacks_at_several_radii_once(attacks: tuple[str, ...], sentence: str) -> None:
    assert str(Protocol(attacks=attacks)) == sentence


def test_a_surrogate_is_part_of_the_name() -> None:
    right = table(4, correct=[True] * 4)
    (score,) = worst(*((attack_cell(4, text, EPS), right) for text in ("pgd(eps=8/255) from vgg16", "fgsm(eps=8/255)")))
    assert score.perturbation == "worst of fgsm, pgd from vgg16, linf 8/255"


def test_an_unfinished_attack_of_a_larger_ball_is_not_missing() -> None:
    done = [(attack_cell(4, f"attack{n}", EPS), table(4, correct=[True] * 4)) for n in range(2)]
    larger = (attack_cell(4, "square", 2 * EPS), table(2, correct=[False] * 2))
    (score,) = worst(*done, larger)
    assert score.flags == ()


def test_flags_of_every_attack_are_flags_of_the_worst_case() -> None:
    right = table(2, correct=[True] * 2)
    (score,) = worst((attack_cell(2, "a", EPS), right), (attack_cell(2, "b", EPS, flags=["random weights"]), right))
    assert score.flags == ("random weights",)


def test_other_attacks_are_other_columns_and_a_weak_union_is_never_best_of_a_strong_one() -> None:
    def entry(model: str, texts: tuple[str, ...], right: int) -> Entry:
        cells = [
            (attack_cell(100, text, EPS, model=model), table(100, correct=np.arange(100) < right)) for text in texts
        ]
        (score,) = worst(*cells)
        return Entry(model=model, measured=(as_result(score),))

    weak, strong = ("fgsm(eps=8/255)", "pgd(eps=8/255, steps=1)"), ("fgsm(eps=8/255)", "pgd(eps=8/255, steps=50)")
    other = ("bim(eps=8/255)", "fgsm(eps=8/255)")
    entries = [entry("a", weak, 90), entry("b", strong, 40), entry("c", strong, 10), entry("d", other, 99)]
    board = build_table(entries, layout("attacks"))
    assert sorted(column.label for column in board.columns) == [
        "robust, worst of bim, fgsm, linf 8/255",
        *["robust, worst of fgsm, pgd, linf 8/255"] * 2,
    ]
    assert len(board.protocols) == 3
    of_model = {row.model: [figure for figure in row.figures if figure is not None] for row in board.rows}
    assert all(len(figures) == 1 for figures in of_model.values())
    assert of_model["b"][0].is_best and not of_model["c"][0].is_best, "compared with the same attacks alone"
    for one in entries:
        again = Entry.model_validate_json(one.text())
        assert again.measured[0].protocol.attacks == one.measured[0].protocol.attacks
        assert [issue.where for issue in problems(again, proportion_interval, metric_of)] == ["provenance"]


def result_of(*names: str) -> Result:
    (score,) = worst(
        *((attack_cell(4, f"{name}(eps=16/255)", 16 / 255), table(4, correct=[True] * 4)) for name in names)
    )
    return as_result(score)


def test_old_entries_that_count_attacks_are_valid_and_in_a_column_of_their_own() -> None:
    shipped = {entry.model: entry for entry in all_shipped()}
    old = shipped["digits_pgd_at"]
    assert any(result.perturbation.startswith("worst of 4 attacks") for result in old.measured)
    issues = [issue for issue in problems(old, proportion_interval, metric_of) if "worst of" in issue.where]
    assert all(issue.what.startswith("the interval of") for issue in issues), "of an earlier formula"
    newer = old.model_copy(update={"model": "newer", "measured": (result_of("fgsm", "pgd", "square", "apgd"),)})
    board = build_table([old, newer], layout("defenses"))
    assert len({column.perturbation for column in board.columns if column.perturbation.startswith("worst of")}) > 1
