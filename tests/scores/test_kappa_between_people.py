"""Error consistency of people with each other: the mean over pairs, on the stimuli that both answered."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from robustbench_eff.scores.observers import observer_scores
from robustbench_eff.scores.score import Score
from robustbench_eff.scores.trials import Observer, Trial, read_trials


@pytest.fixture
def observers(shared: Path):
    return read_trials(shared / "cue-conflict-csv.tgz")


@pytest.mark.shared
def test_people_agree_with_each_other_as_their_pairs_do_on_average(observers) -> None:
    """The mean over the 45 pairs of 10 people, as in the paper, against scikit-learn's kappa."""
    people = [observer for observer in observers if observer.is_human]
    scores = {one.model: one for one in observer_scores(observers, "here") if one.metric == "error_consistency"}
    score = scores["humans (10)"]
    models = {observer.name for observer in observers if not observer.is_human}
    assert scores.keys() == models | {"humans (10)"}
    assert all(scores[name].value < score.value for name in models), "no network of the file errs as people do"
    stimuli = sorted(people[0].trials)
    named = [[person.trials[key].response == person.trials[key].shape for key in stimuli] for person in people]
    kappas = [cohen_kappa_score(a, b) for a, b in combinations(named, 2)]
    assert (score.model, score.n, len(kappas)) == ("humans (10)", 1280, 45)
    assert score.value == pytest.approx(np.mean(kappas), abs=1e-12)
    assert round(score.value, 3) == 0.331
    assert 0.29 < score.low < score.value < score.high < 0.37


def people(answers: dict[str, str]) -> list[Observer]:
    """People who name the shape (+), another class (-), or do not see the stimulus (.), stimulus by stimulus."""
    return [
        Observer(
            f"subject-{name}",
            {
                f"cat{row}-dog1": Trial("cat", "dog", "cat" if answer == "+" else "car")
                for row, answer in enumerate(given)
                if answer != "."
            },
        )
        for name, given in answers.items()
    ]


def between(answers: dict[str, str]) -> Score | None:
    found = [score for score in observer_scores(people(answers), "x") if score.metric == "error_consistency"]
    return found[0] if found else None


def test_pairs_are_compared_on_the_stimuli_that_both_answered() -> None:
    score = between({"1": "++--..", "2": "+-+-+-", "3": "..--++"})
    pairs = [([1, 1, 0, 0], [1, 0, 1, 0]), ([0, 0], [0, 0]), ([1, 0, 1, 0], [0, 0, 1, 1])]
    defined = [cohen_kappa_score(*pairs[0]), cohen_kappa_score(*pairs[2])]
    assert score is not None
    assert (score.value, score.n) == (pytest.approx(np.mean(defined)), 6)
    assert score.flags == ("kappa is undefined and left out: 1 of 3 pairs, whose answers are all right or all wrong",)


def test_people_without_common_stimuli_have_no_kappa() -> None:
    assert between({"1": "+-..", "2": "..+-"}) is None
    assert between({"1": "+-"}) is None


def test_a_kappa_that_is_nowhere_defined_has_no_value_and_says_why() -> None:
    score = between({"1": "+++", "2": "+++"})
    assert score is not None
    assert (score.value, score.low, score.high) == (None, None, None)
    assert score.flags[0].endswith("1 of 1 pair, whose answers are all right or all wrong")
