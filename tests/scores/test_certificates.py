"""Scores of certificates against hand-computed values, and the check of certificates against attacks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from outcome_tables import attack_cell, cell, table
from robustbench_eff.core.errors import EvaluationError
from robustbench_eff.core.statistics import proportion_interval
from robustbench_eff.scores.cell_groups import CellOutcomes
from robustbench_eff.scores.certificates import certificate_scores, contradictions, radii_of
from robustbench_eff.scores.score import Score
from robustbench_eff.scores.score_function import ScoreContext

SMOOTHING = {"sigma": 0.25, "n": 1000, "n0": 100, "alpha": 0.001, "version": 1}


def radius(votes: int, alpha: float = 0.001) -> float:
    """Of a thousand draws at sigma 0.25, computed by SciPy."""
    return 0.25 * stats.norm.ppf(stats.beta.ppf(alpha, votes, 1000 - votes + 1))


def certified(labels: list[int], predictions: list[int], votes: list[int], **smoothing: float) -> CellOutcomes:
    samples = len(labels)
    radii = [0.0 if guess == -1 else radius(count) for guess, count in zip(predictions, votes, strict=True)]
    outcomes = table(
        samples,
        label=labels,
        prediction=predictions,
        correct=np.array(labels) == np.array(predictions),
        prediction_confidence=np.array(votes) / 1000,
        radius=radii,
    )
    configuration = {"smoothing": SMOOTHING | smoothing}
    return CellOutcomes(
        cell(samples, "smoothing(sigma=0.25, n=1000)", kind="certificate", configuration=configuration), outcomes
    )


def attacked(predictions: list[int], votes: list[int], distances: list[float], **more: Any) -> CellOutcomes:
    samples = len(predictions)
    outcomes = table(
        samples, prediction=predictions, prediction_confidence=np.array(votes) / 1000, distance_l2=distances
    )
    text, configuration = "pgd(eps=0.5, norm='l2') on smoothing(sigma=0.25, n=1000)", {"smoothing": SMOOTHING}
    return CellOutcomes(
        attack_cell(samples, text, 0.5, "l2", kind="attack", configuration=configuration, **more), outcomes
    )


def by_metric(*cells: CellOutcomes, radii: tuple[float, ...] = ()) -> dict[str, Score]:
    scores = certificate_scores(cells, ScoreContext(radii=radii))
    return {score.metric: score for score in reversed(scores)}


def test_the_scores_are_those_computed_by_hand() -> None:
    """Five samples: certified wide, certified narrowly, wrong, abstained, certified wide."""
    item = certified([0, 1, 2, 3, 4], [0, 1, 0, -1, 4], [1000, 700, 990, 500, 999])
    scores = by_metric(item, radii=(0.0, 0.25, 0.5))
    assert {name: scores[f"certified_accuracy@{name}"].value for name in ("0.0", "0.25", "0.5")} == {
        "0.0": 3 / 5,
        "0.25": 2 / 5,
        "0.5": 2 / 5,
    }
    assert (scores["certified_accuracy@0.25"].low, scores["certified_accuracy@0.25"].high) == proportion_interval(2, 5)
    expected = (radius(1000) + radius(700) + radius(999)) / 5
    assert scores["average_certified_radius"].value == pytest.approx(expected, rel=1e-6)
    assert scores["average_certified_radius"].low < expected < scores["average_certified_radius"].high
    assert scores["abstention_rate"].value == 1 / 5
    assert "σ 0.25, 100 + 1,000 draws, α 0.001" in str(scores["abstention_rate"].protocol)


@pytest.mark.parametrize(
    ("sigma", "n", "radii"),
    [
        (0.25, 100_000, (0.0, 0.25, 0.5, 0.75)),
        (0.25, 1000, (0.0, 0.25, 0.5)),
        (0.12, 100_000, (0.0, 0.12, 0.24, 0.36)),
        (0.5, 100_000, (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75)),
        (1.0, 100_000, (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5)),
    ],
)
def test_the_default_radii_end_at_the_largest_that_can_be_certified(
    sigma: float, n: int, radii: tuple[float, ...]
) -> None:
    assert radii_of(certified([0], [0], [1000], sigma=sigma, n=n)) == radii


def test_a_radius_that_no_vote_could_certify_says_so() -> None:
    scores = by_metric(certified([0], [0], [1000]), radii=(0.5, 0.75))
    assert scores["certified_accuracy@0.5"].flags == ()
    assert scores["certified_accuracy@0.75"].flags == (f"no radius above {radius(1000):.4g} can be certified",)


def test_one_certain_contradiction_is_an_error_that_names_the_sample() -> None:
    certificates = certified([0, 1], [0, 1], [1000, 1000])
    with pytest.raises(EvaluationError, match=r"s00001 is certified as class 1 within .*, and is class 7 at") as error:
        by_metric(certificates, attacked([0, 7], [900, 990], [0.4, 0.3]))
    assert "must not depend on other images" in error.value.hint


def test_a_contradiction_that_chance_explains_is_a_flag() -> None:
    """Of 20 samples one certificate and one vote hold at alpha, but not at one in 40 million."""
    votes, votes_after = [1000] * 19 + [640], [1000] * 19 + [560]
    certificates = certified([0] * 20, [0] * 20, votes)
    attack = attacked([0] * 19 + [7], votes_after, [0.3] * 19 + [radius(640) * 0.9])
    assert len(contradictions(certificates, attack).rows) == 1
    scores = by_metric(certificates, attack)
    assert scores["certified_accuracy@0.0"].flags == ("contradicted by an attack, as chance may: 1",)


def test_more_weak_contradictions_than_chance_explains_are_an_error() -> None:
    certificates = certified([0] * 20, [0] * 20, [640] * 20)
    attack = attacked([7] * 5 + [0] * 15, [560] * 20, [radius(640) * 0.9] * 20)
    assert stats.binom.sf(4, 20, 0.002) < 1e-6 < stats.binom.sf(1, 20, 0.002)
    with pytest.raises(EvaluationError, match="contradicts 5 of 20 certificates"):
        by_metric(certificates, attack)


@pytest.mark.parametrize(
    ("prediction", "votes", "distance", "certificate"),
    [(0, 1000, 0.1, 1000), (-1, 520, 0.1, 1000), (7, 1000, 0.9, 1000), (7, 1000, 0.2, 700)],
    ids=["same class", "abstained", "outside", "outside a small radius"],
)
def test_what_does_not_contradict_a_certificate(prediction: int, votes: int, distance: float, certificate: int) -> None:
    scores = by_metric(certified([0], [0], [certificate]), attacked([prediction], [votes], [distance]))
    assert scores["certified_accuracy@0.0"].flags == ()


def test_an_attack_on_another_classifier_contradicts_nothing() -> None:
    other = attacked([7], [1000], [0.1], model_digest="another")
    assert by_metric(certified([0], [0], [1000]), other)["certified_accuracy@0.0"].flags == ()
    narrower = attacked([7], [1000], [0.1])
    assert by_metric(certified([0], [0], [1000], sigma=0.2), narrower)["certified_accuracy@0.0"].flags == ()
