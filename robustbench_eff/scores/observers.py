"""Scores of observers whose trials were read, and how consistently models err with people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import NamedTuple

import numpy as np

from robustbench_eff.core.protocol import Protocol
from robustbench_eff.core.statistics import proportion_interval

from .bootstrap import ratio_intervals, resampled_sums
from .build_score import Interval, score_of
from .cell_groups import CellOutcomes
from .consistency import agreement_of
from .cue_conflict import ShapeTextureCounts, decisions
from .score import Score
from .trials import Observer, Trial, named_shape, observer_of

BENCHMARK = "cue-conflict"
PEOPLE = "humans"
PAIRS_AT_ONCE = 50
"""Pairs of observers that are resampled at a time, so that many observers fit into memory."""


def observer_scores(observers: Sequence[Observer], origin: str) -> list[Score]:
    """Return `shape_bias`, `shape_decisions` and `texture_decisions` of every observer, and of all people together.

    All people together also have `error_consistency`: the mean kappa over all pairs of people, on the stimuli that both
    answered. A model that errs as one more person does would reach it, so it is the ceiling of a model's own kappa.

    The intervals of one observer are Wilson's; those of people together are the bootstrap's over stimuli, because each
    of them saw the same ones.

    Args:
        observers: People and models whose trials were read.
        origin: Name of the file of the trials.

    Source: Geirhos, Meding & Wichmann 2020, arXiv:2006.16736, equations 1 to 4, for kappa and its mean over pairs.
    """
    people = [observer for observer in observers if observer.is_human]
    scores = [score for observer in observers for score in _scores(observer, origin)]
    return scores + ([*_together(people, origin), *_between(people, origin)] if len(people) > 1 else [])


def consistency_scores(cells: Mapping[str, CellOutcomes], observers: Sequence[Observer], origin: str) -> list[Score]:
    """Return `error_consistency` of every model with people: the mean kappa over them, on stimuli that both answered.

    An answer is correct if it names the shape, as in model-vs-human. The interval is the bootstrap's over stimuli.
    There is no score without people, or without stimuli in common.

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
            met = [person for person in people if model.trials.keys() & person.trials.keys()]
            kappa = _mean_kappa([(model, person) for person in met], stimuli)
            score = score_of(item, "error_consistency", kappa.value, (kappa.low, kappa.high), n=len(stimuli))
            protocol = replace(score.protocol, observers=f"with {len(people)} people from {origin}")
            scores.append(replace(score, protocol=protocol, flags=score.flags + _left_out(kappa, len(met))))
    return scores


def counted(trials: Sequence[Trial]) -> ShapeTextureCounts:
    """Return how often each cue was named where the two disagree.

    Args:
        trials: At least one trial.
    """
    shapes, textures, responses = np.array([(trial.shape, trial.texture, trial.response) for trial in trials]).T
    return decisions(shapes, textures, responses)


class _MeanKappa(NamedTuple):
    """The mean of kappa over pairs of observers with its interval; None where it is not defined."""

    value: float | None
    low: float | None
    high: float | None
    left_out: int
    """Number of pairs without a kappa: both are always right, or both always wrong."""


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
    numerators, denominators = (np.stack(part) for part in zip(*ratios.values(), strict=True))
    intervals = ratio_intervals(numerators, denominators)
    name, protocol = f"{PEOPLE} ({len(people)})", Protocol(description=f"trials from {origin}, all people")
    return [
        _score(name, metric, float(above.sum() / below.sum()), interval, protocol, int(below.sum()))
        for (metric, (above, below)), interval in zip(ratios.items(), intervals, strict=True)
        if below.sum()
    ]


def _between(people: Sequence[Observer], origin: str) -> list[Score]:
    """The mean kappa between people; nothing if no two of them answered the same stimulus."""
    pairs = [(a, b) for a, b in combinations(people, 2) if a.trials.keys() & b.trials.keys()]
    if not pairs:
        return []
    stimuli = sorted(set[str]().union(*(a.trials.keys() & b.trials.keys() for a, b in pairs)))
    kappa = _mean_kappa(pairs, stimuli)
    how = f"kappa between people, mean over {len(pairs)} pairs"
    protocol = Protocol(description=f"trials from {origin}, all people", observers=how)
    score = _score(
        f"{PEOPLE} ({len(people)})", "error_consistency", kappa.value, (kappa.low, kappa.high), protocol, len(stimuli)
    )
    return [replace(score, flags=_left_out(kappa, len(pairs)))]


def _left_out(kappa: _MeanKappa, pairs: int) -> tuple[str, ...]:
    if not kappa.left_out:
        return ()
    return (
        f"kappa is undefined and left out: {kappa.left_out} of {pairs} pairs, whose answers are all right or all wrong",
    )


def _mean_kappa(pairs: Sequence[tuple[Observer, Observer]], stimuli: Sequence[str]) -> _MeanKappa:
    """The mean of kappa over pairs of observers, on the stimuli that both of a pair answered."""
    answers = {id(observer): named_shape(observer, stimuli) for pair in pairs for observer in pair}
    values, draws = [], []
    for start in range(0, len(pairs), PAIRS_AT_ONCE):
        some = pairs[start : start + PAIRS_AT_ONCE]
        rows = np.concatenate([_agreements(answers[id(a)], answers[id(b)]) for a, b in some]).astype(np.float64)
        values.append(_kappas(rows.sum(1)[None, :]))
        draws.append(_kappas(resampled_sums(rows)))
    kappas = np.concatenate(values, axis=1)
    left_out = int(np.isnan(kappas).sum())
    value = _mean(kappas)[0]
    means = _mean(np.concatenate(draws, axis=1))
    means = means[np.isfinite(means)]
    if not np.isfinite(value) or not len(means):
        return _MeanKappa(None, None, None, left_out)
    low, high = np.quantile(means, [0.025, 0.975])
    return _MeanKappa(float(value), float(low), float(high), left_out)


def _agreements(a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray]) -> list[np.ndarray]:
    """Where neither is right, only b, only a, and both, of the stimuli that both answered, each of shape (stimuli,)."""
    (right_a, seen_a), (right_b, seen_b) = a, b
    seen = seen_a & seen_b
    return [seen & ~right_a & ~right_b, seen & ~right_a & right_b, seen & right_a & ~right_b, seen & right_a & right_b]


def _kappas(sums: np.ndarray) -> np.ndarray:
    """Cohen's kappa of every pair, shape (draws, pairs), from counts (draws, 4 times pairs); NaN if undefined."""
    kappas: np.ndarray = agreement_of(sums.reshape(-1, 4)).kappa.reshape(len(sums), -1)
    return kappas


def _mean(kappas: np.ndarray) -> np.ndarray:
    """The mean over pairs, shape (draws,), without undefined ones; NaN if all are."""
    known = np.isfinite(kappas)
    means: np.ndarray = np.where(known, kappas, 0).sum(1) / np.where(known.any(1), known.sum(1), np.nan)
    return means


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
