"""Scores of samples that several votes judged: expected accuracy with an interval that covers, and the worst attack."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from outcome_tables import attack_cell, cell, table
from robustbench_eff.core.statistics import proportion_interval
from robustbench_eff.scores.accuracy import accuracy_scores
from robustbench_eff.scores.cell_groups import CellOutcomes
from robustbench_eff.scores.class_scores import class_scores
from robustbench_eff.scores.score_function import ScoreContext
from robustbench_eff.scores.worst_case import worst_case, worst_case_scores

VOTES = [[True, True, True, True], [True, False, False, False], [False] * 4, [True, True, True, False]]


def voted(**given: object) -> CellOutcomes:
    return CellOutcomes(cell(4, configuration={"votes_per_image": 4}), table(4, votes=VOTES, **given))


def test_accuracy_is_the_mean_of_votes_and_every_vote_its_strict_form() -> None:
    scores = {score.metric: score for score in accuracy_scores(voted())}
    assert {name: score.value for name, score in scores.items()} == {"accuracy": 0.5, "accuracy_every_vote": 0.25}
    assert (scores["accuracy"].low, scores["accuracy"].high) == proportion_interval(2.0, 4)


def test_accuracies_of_classes_are_means_of_votes() -> None:
    scores = {score.metric: score.value for score in class_scores(voted(label=[0, 0, 1, 1]))}
    assert scores["balanced_accuracy"] == pytest.approx((0.625 + 0.375) / 2)
    assert scores["worst_class_accuracy"] == pytest.approx(0.375)


def test_the_worst_attack_of_each_sample_counts() -> None:
    strong, weak = np.zeros((3, 8), dtype=bool), np.ones((3, 8), dtype=bool)
    first = np.concatenate((strong[:2], weak[:1]))
    second = np.concatenate((weak[:1], strong[:2]))
    assert worst_case([first, second]).tolist() == [0, 0, 0]
    assert worst_case([first, weak]).tolist() == [0, 0, 1]


def test_equal_attacks_do_not_seem_stronger_together() -> None:
    """The lowest of the four fractions would be 11 points too low."""
    random = np.random.default_rng(0)
    attacks = [random.random((4000, 10)) < 0.4 for _ in range(4)]
    assert np.mean(worst_case(attacks)) == pytest.approx(0.4, abs=0.01)
    assert np.min([votes.mean(axis=1) for votes in attacks], axis=0).mean() < 0.3


def test_the_worst_of_voted_attacks_stands_in_the_table() -> None:
    items = []
    for number in range(2):
        attacked = attack_cell(4, f"attack{number}", 8 / 255)
        attacked = replace(attacked, id=str(number), configuration={**attacked.configuration, "votes_per_image": 4})
        items.append(CellOutcomes(attacked, table(4, votes=VOTES)))
    (score,) = worst_case_scores(items, ScoreContext())
    assert score.value == 0.5


RATES = {
    "half right": lambda random, shape: np.full(shape, 0.5),
    "nearly never right": lambda random, shape: np.full(shape, 0.001),
    "nearly always right": lambda random, shape: np.full(shape, 0.995),
    "right or wrong for good": lambda random, shape: (random.random(shape) < 0.2).astype(float),
    "few samples always right": lambda random, shape: np.where(random.random(shape) < 0.03, 1.0, 0.01),
    "anything": lambda random, shape: random.beta(0.5, 1.5, shape),
}


@pytest.mark.parametrize(("samples", "votes"), [(64, 151), (1000, 10)])
@pytest.mark.parametrize("kind", RATES)
def test_intervals_cover_the_expected_accuracy_over_samples_and_draws(kind: str, samples: int, votes: int) -> None:
    """Where samples are right or wrong for good they cover as those of accuracies do; where draws decide, always."""
    random = np.random.default_rng(0)
    truth = float(RATES[kind](random, (200_000,)).mean())
    means = random.binomial(votes, RATES[kind](random, (2000, samples))).mean(axis=1) / votes
    intervals = [proportion_interval(mean * samples, samples) for mean in means]
    covered = np.mean([low <= truth <= high for low, high in intervals])
    assert covered > 0.93


def test_an_interval_of_the_spread_of_means_would_miss_rare_samples() -> None:
    random = np.random.default_rng(0)
    rates = RATES["few samples always right"](random, (2000, 64))
    truth = 0.03 + 0.97 * 0.01
    shares = random.binomial(151, rates) / 151
    half = 1.96 * shares.std(axis=1, ddof=1) / 8
    assert np.mean(np.abs(shares.mean(axis=1) - truth) <= half) < 0.9
