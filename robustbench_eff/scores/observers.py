"""Scores of observers whose trials were read, and how consistently models err with people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from robustbench_eff.core.statistics import wilson

from .bootstrap import ratio_intervals, resampled_sums
from .build_score import score_of
from .consistency import kappa_of
from .cue_conflict import ShapeTextureCounts, decisions
from .score import Score
from .trials import Observer, Trial, named_shape, observer_of

BENCHMARK = "cue-conflict"
PEOPLE = "humans"


def observer_scores(observers: Sequence[Observer], origin: str) -> list[Score]:
    """`shape_bias`, `shape_decisions` and `texture_decisions` of every observer, and of all people together.

    Of one observer the intervals are Wilson's; of people together the bootstrap's over stimuli, because each of them
    saw the same. `origin` is where the trials were read.
    """
    people = [observer for observer in observers if observer.is_human]
    scores = [score for observer in observers for score in _scores(observer, origin)]
    return scores + (_together(people, origin) if len(people) > 1 else [])


def consistency_scores(
    cells: Mapping[str, tuple[dict[str, Any], pa.Table]], observers: Sequence[Observer], origin: str
) -> list[Score]:
    """`error_consistency` of every model with people: the mean of kappa over them, on the stimuli that both answered.

    `cells` are cue-conflict cells with their outcomes, by id; right is who names the shape, as in model-vs-human. The
    interval is the bootstrap's over stimuli. No score where there are no people, or no stimuli in common.
    Source: Geirhos, Meding & Wichmann 2020, arXiv:2006.16736, equations 1 to 4.
    """
    people = [observer for observer in observers if observer.is_human]
    scores = []
    for cell_id, (cell, outcomes) in cells.items():
        model = observer_of(cell, outcomes)
        stimuli = sorted(key for key in model.trials if any(key in one.trials for one in people))
        if stimuli:
            value, low, high = _mean_kappa(model, people, stimuli)
            score = score_of(cell, outcomes, cell_id, "error_consistency", value, (low, high), n=len(stimuli))
            words = f"{score.protocol} · with {len(people)} people from {origin}"
            scores.append(replace(score, protocol=words))
    return scores


def counted(trials: Sequence[Trial]) -> ShapeTextureCounts:
    """How often each cue was named where the two disagree."""
    shapes, textures, responses = np.array([(one.shape, one.texture, one.response) for one in trials]).T
    return decisions(shapes, textures, responses)


def _scores(observer: Observer, origin: str) -> list[Score]:
    found = counted([*observer.trials.values()])
    rows = [("shape_bias", found.shape, found.shape + found.texture)]
    rows += [("shape_decisions", found.shape, found.trials), ("texture_decisions", found.texture, found.trials)]
    return [
        _score(
            observer.name,
            BENCHMARK,
            metric,
            count / n if n else None,
            wilson(count, n) if n else (None, None),
            f"trials from {origin}",
            n,
        )
        for metric, count, n in rows
    ]


def _together(people: Sequence[Observer], origin: str) -> list[Score]:
    stimuli = sorted({key for person in people for key in person.trials})
    sums = np.zeros((3, len(stimuli)))
    for column, key in enumerate(stimuli):
        found = counted([person.trials[key] for person in people if key in person.trials])
        sums[:, column] = found.shape, found.texture, found.trials
    shape, texture, trials = sums
    rows = {"shape_bias": (shape, shape + texture), "shape_decisions": (shape, trials)}
    rows["texture_decisions"] = (texture, trials)
    numerators, denominators = (np.stack(part) for part in zip(*rows.values(), strict=True))
    intervals = ratio_intervals(numerators, denominators)
    name, words = f"{PEOPLE} ({len(people)})", f"trials from {origin}, all people"
    return [
        _score(name, BENCHMARK, metric, float(above.sum() / below.sum()), interval, words, int(below.sum()))
        for (metric, (above, below)), interval in zip(rows.items(), intervals, strict=True)
        if below.sum()
    ]


def _mean_kappa(
    model: Observer, people: Sequence[Observer], stimuli: Sequence[str]
) -> tuple[float | None, float | None, float | None]:
    mine, _ = named_shape(model, stimuli)
    theirs = [named_shape(person, stimuli) for person in people]
    rows = np.concatenate(
        [
            [seen & ~mine & ~right, seen & ~mine & right, seen & mine & ~right, seen & mine & right]
            for right, seen in theirs
        ]
    ).astype(np.float64)
    value = _kappas(rows.sum(1)[None, :])[0]
    draws = _kappas(resampled_sums(rows))
    draws = draws[np.isfinite(draws)]
    if not np.isfinite(value) or not len(draws):
        return None, None, None
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(value), float(low), float(high)


def _kappas(sums: np.ndarray) -> np.ndarray:
    """The mean of Cohen's kappa over people, of counts (draws, 4 times people); who has none is left out."""
    kappas = kappa_of(sums.reshape(-1, 4))[0].reshape(len(sums), -1)
    known = np.isfinite(kappas)
    means: np.ndarray = np.where(known, kappas, 0).sum(1) / np.where(known.any(1), known.sum(1), np.nan)
    return means


def _score(
    model: str,
    benchmark: str,
    metric: str,
    value: float | None,
    interval: tuple[float | None, float | None],
    protocol: str,
    n: int,
) -> Score:
    return Score(
        model=model,
        benchmark=benchmark,
        perturbation="none",
        metric=metric,
        value=value,
        low=interval[0],
        high=interval[1],
        n=n,
        protocol=protocol,
    )
