"""Scores of observers whose trials were read, and how consistently models err with people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import NamedTuple

import numpy as np

from robustbench_eff.core.protocol import Protocol
from robustbench_eff.core.statistics import proportion_interval

from .bounded_means import ratio_interval
from .build_score import Interval, score_of
from .cell_groups import CellOutcomes
from .consistency import Answers, MeanConsistency, mean_consistency
from .cue_conflict import ShapeTextureCounts, decisions
from .score import Score
from .trials import Observer, Trial, named_shape, observer_of

BENCHMARK = "cue-conflict"
PEOPLE = "humans"


def observer_scores(observers: Sequence[Observer], origin: str) -> list[Score]:
    """Return `shape_bias`, `shape_decisions` and `texture_decisions` of every observer, and of all people together.

    Models whose trials were read also have `error_consistency` with the people, as those of `consistency_scores` have.
    All people together also have `error_consistency`: the mean kappa over all pairs of people, on the stimuli that both
    answered. A model that errs as one more person does would reach it, so it is the ceiling of a model's own kappa.

    The intervals of people together are over stimuli, because each of them saw the same ones.

    Args:
        observers: People and models whose trials were read.
        origin: Name of the file of the trials.

    Source: Geirhos, Meding & Wichmann 2020, arXiv:2006.16736, equations 1 to 4, for kappa and its mean over pairs.
    """
    people = [observer for observer in observers if observer.is_human]
    scores = [score for observer in observers for score in _scores(observer, origin)]
    for observer in (observer for observer in observers if not observer.is_human):
        if found := _with_people(observer, people):
            protocol = Protocol(description=f"trials from {origin}", observers=_origin_of(people, origin))
            interval = (found.kappa.low, found.kappa.high)
            score = _score(observer.name, "error_consistency", found.kappa.kappa, interval, protocol, found.n)
            scores.append(replace(score, flags=found.flags))
    return scores + ([*_together(people, origin), *_between(people, origin)] if len(people) > 1 else [])


def consistency_scores(cells: Mapping[str, CellOutcomes], observers: Sequence[Observer], origin: str) -> list[Score]:
    """Return `error_consistency` of every model with people: the mean kappa over them, on stimuli that both answered.

    An answer is correct if it names the shape, as in model-vs-human. The interval is over stimuli. There
    is no score without people, or without stimuli in common.

    Args:
        cells: Cue-conflict cells with their outcomes, by id.
        observers: People and models whose trials were read.
        origin: Name of the file of the trials.

    Source: Geirhos, Meding & Wichmann 2020, arXiv:2006.16736, equations 1 to 4.
    """
    people = [observer for observer in observers if observer.is_human]
    scores = []
    for item in cells.values():
        if found := _with_people(observer_of(item), people):
            interval = (found.kappa.low, found.kappa.high)
            score = score_of(item, "error_consistency", found.kappa.kappa, interval, n=found.n)
            protocol = replace(score.protocol, observers=_origin_of(people, origin))
            scores.append(replace(score, protocol=protocol, flags=score.flags + found.flags))
    return scores


class _Agreement(NamedTuple):
    """How consistently a model errs with people, on how many stimuli, and what a reader must know."""

    kappa: MeanConsistency
    n: int
    flags: tuple[str, ...]


def _with_people(model: Observer, people: Sequence[Observer]) -> _Agreement | None:
    """The mean kappa over people; None without stimuli in common."""
    stimuli = sorted(key for key in model.trials if any(key in person.trials for person in people))
    if not stimuli:
        return None
    met = [person for person in people if model.trials.keys() & person.trials.keys()]
    kappa = _mean_kappa([(model, person) for person in met], stimuli)
    return _Agreement(kappa, len(stimuli), _left_out(kappa, len(met)))


def _origin_of(people: Sequence[Observer], origin: str) -> str:
    return f"with {len(people)} people from {origin}"


def counted(trials: Sequence[Trial]) -> ShapeTextureCounts:
    """Return how often each cue was named where the two disagree.

    Args:
        trials: At least one trial.
    """
    shapes, textures, responses = np.array([(trial.shape, trial.texture, trial.response) for trial in trials]).T
    return decisions(shapes, textures, responses)


def _scores(observer: Observer, origin: str) -> list[Score]:
    counts = counted([*observer.trials.values()])
    decided = counts.shape + counts.texture
    protocol = Protocol(description=f"trials from {origin}")
    return [
        _score(observer.name, "shape_bias", *_fraction(counts.shape, decided), protocol, decided),
        _score(observer.name, "shape_decisions", *_fraction(counts.shape, counts.trials), protocol, counts.trials),
        _score(observer.name, "texture_decisions", *_fraction(counts.texture, counts.trials), protocol, counts.trials),
    ]


def _fraction(count: int, n: int) -> tuple[float | None, Interval]:
    return (count / n, proportion_interval(count, n)) if n else (None, (None, None))


def _together(people: Sequence[Observer], origin: str) -> list[Score]:
    stimuli = sorted({key for person in people for key in person.trials})
    sums = np.zeros((3, len(stimuli)))
    for column, key in enumerate(stimuli):
        counts = counted([person.trials[key] for person in people if key in person.trials])
        sums[:, column] = counts.shape, counts.texture, counts.trials
    shape, texture, trials = sums
    ratios = {"shape_bias": (shape, shape + texture), "shape_decisions": (shape, trials)}
    ratios["texture_decisions"] = (texture, trials)
    name, protocol = f"{PEOPLE} ({len(people)})", Protocol(description=f"trials from {origin}, all people")
    return [
        _score(name, metric, float(above.sum() / below.sum()), ratio_interval(above, below), protocol, int(below.sum()))
        for metric, (above, below) in ratios.items()
        if below.sum()
    ]


def _between(people: Sequence[Observer], origin: str) -> list[Score]:
    """The mean kappa between people; nothing if no two of them answered the same stimulus."""
    pairs = [(a, b) for a, b in combinations(people, 2) if a.trials.keys() & b.trials.keys()]
    if not pairs:
        return []
    stimuli = sorted(set[str]().union(*(a.trials.keys() & b.trials.keys() for a, b in pairs)))
    kappa = _mean_kappa(pairs, stimuli)
    how = f"kappa between people, mean over {len(pairs)} {'pair' if len(pairs) == 1 else 'pairs'}"
    protocol = Protocol(description=f"trials from {origin}, all people", observers=how)
    name, interval = f"{PEOPLE} ({len(people)})", (kappa.low, kappa.high)
    score = _score(name, "error_consistency", kappa.kappa, interval, protocol, len(stimuli))
    return [replace(score, flags=_left_out(kappa, len(pairs)))]


def _mean_kappa(pairs: Sequence[tuple[Observer, Observer]], stimuli: Sequence[str]) -> MeanConsistency:
    """The mean of kappa over pairs of observers, on the stimuli that both of a pair answered."""
    answers = {id(observer): named_shape(observer, stimuli) for pair in pairs for observer in pair}
    found = []
    for first, second in pairs:
        (right_a, seen_a), (right_b, seen_b) = answers[id(first)], answers[id(second)]
        found.append(Answers(right_a, right_b, seen_a & seen_b))
    return mean_consistency(found)


def _left_out(kappa: MeanConsistency, pairs: int) -> tuple[str, ...]:
    """A flag that says for how many pairs kappa is not defined."""
    if not kappa.undefined:
        return ()
    count = f"{kappa.undefined} of {pairs} {'pair' if pairs == 1 else 'pairs'}"
    return (f"kappa is undefined and left out: {count}, whose answers are all right or all wrong",)


def _score(model: str, metric: str, value: float | None, interval: Interval, protocol: Protocol, n: int) -> Score:
    return Score(
        model=model,
        benchmark=BENCHMARK,
        perturbation="none",
        metric=metric,
        value=value,
        low=interval[0],
        high=interval[1],
        n=n,
        protocol=protocol,
    )
