"""Scores of observers whose trials were read, and how consistently models err with people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

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

    The intervals of people together are over stimuli, because each of them saw the same ones.

    Args:
        observers: People and models whose trials were read.
        origin: Name of the file of the trials.
    """
    people = [observer for observer in observers if observer.is_human]
    scores = [score for observer in observers for score in _scores(observer, origin)]
    return scores + (_together(people, origin) if len(people) > 1 else [])


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
        model = observer_of(item)
        stimuli = sorted(key for key in model.trials if any(key in person.trials for person in people))
        if stimuli:
            kappa = _mean_kappa(model, people, stimuli)
            score = score_of(item, "error_consistency", kappa.kappa, (kappa.low, kappa.high), n=len(stimuli))
            protocol = replace(score.protocol, observers=f"with {len(people)} people from {origin}")
            scores.append(replace(score, protocol=protocol))
    return scores


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


def _mean_kappa(model: Observer, people: Sequence[Observer], stimuli: Sequence[str]) -> MeanConsistency:
    own, _ = named_shape(model, stimuli)
    theirs = [named_shape(person, stimuli) for person in people]
    return mean_consistency([Answers(own, right, seen) for right, seen in theirs])


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
