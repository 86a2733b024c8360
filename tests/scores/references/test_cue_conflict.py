"""Shape bias and error consistency against counts of trials and scikit-learn's kappa."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from outcome_tables import cell, table
from reference_cases import SIZES, rights
from robustbench_eff.benchmarks.definitions.cue_conflict import categories
from robustbench_eff.scores.cell_groups import CellOutcomes
from robustbench_eff.scores.consistency import error_consistency
from robustbench_eff.scores.observers import consistency_scores, observer_scores
from robustbench_eff.scores.score import Score
from robustbench_eff.scores.trials import Observer, Trial
from scored_cells import Case, assert_same_from_disk, case, one, scored

KINDS = ("random", "all by shape", "all by texture", "no decided trial", "no conflict", "one class", "duplicates")
CLASSES = 5


def cases() -> Iterator[Case]:
    """Every third one unfinished."""
    random = np.random.default_rng(70)
    for number, (kind, n, _) in enumerate(product(KINDS, SIZES, range(5))):
        shapes, textures = random.integers(CLASSES, size=(2, n))
        if kind == "one class":
            shapes = np.full(n, 3)
        if kind == "no conflict":
            textures = shapes
        guesses = np.where(random.random(n) < 0.4, shapes, np.where(random.random(n) < 0.6, textures, 9))
        forced = {"all by shape": shapes, "all by texture": textures, "no decided trial": np.full(n, 9)}
        guesses = forced.get(kind, guesses)
        if kind == "duplicates":
            same = random.integers(max(n // 3, 1), size=n)
            shapes, textures, guesses = shapes[same], textures[same], guesses[same]
        cues = enumerate(zip(shapes, textures, strict=True))
        ids = [f"{categories()[shape]}{k}-{categories()[texture]}{k}.png" for k, (shape, texture) in cues]
        given = {"label": shapes, "texture": textures, "prediction": guesses, "clean_prediction": guesses}
        outcomes = table(n, sample_id=ids, correct=shapes == guesses, **given)
        yield case(f"{kind} {number}", cell(n + (number % 3 == 0), benchmark="cue-conflict"), outcomes)


def counts(of: Case, shape: int | None = None) -> Counter[str]:
    """What was named in the trials in which the cues differ, of all shapes or of one."""
    found: Counter[str] = Counter()
    for row in of.rows:
        if row["label"] != row["texture"] and shape in (None, row["label"]):
            cue = {row["label"]: "shape", row["texture"]: "texture"}.get(row["prediction"], "neither")
            found[cue] += 1
    return found


def shape_bias(found: Counter[str]) -> float | None:
    """Geirhos et al. 2019: the shape decisions among those for either cue."""
    decided = found["shape"] + found["texture"]
    return found["shape"] / decided if decided else None


def decisions(cue: str) -> Callable[[Counter[str]], float | None]:
    return lambda found: found[cue] / found.total() if found.total() else None


REFERENCES: dict[str, Callable[[Counter[str]], float | None]] = {
    "shape_bias": shape_bias,
    "shape_decisions": decisions("shape"),
    "texture_decisions": decisions("texture"),
}
CASES = list(cases())


@pytest.fixture(scope="module")
def found() -> Mapping[str, list[Score]]:
    return scored(CASES)


@pytest.mark.parametrize("metric", REFERENCES)
def test_decisions_are_counts_of_trials(metric: str, found: Mapping[str, list[Score]]) -> None:
    undecided = 0
    for of in CASES:
        expected = REFERENCES[metric](counts(of))
        undecided += expected is None
        value = one(found[of.model], metric=metric).value
        assert value is None if expected is None else value == pytest.approx(expected), of.model
    assert 10 < undecided < len(CASES) / 2


def test_the_bias_of_every_shape_is_that_of_its_trials(found: Mapping[str, list[Score]]) -> None:
    for of in CASES:
        for shape in {row["label"] for row in of.rows}:
            score, counted = one(found[of.model], metric=f"shape_bias of {categories()[shape]}"), counts(of, shape)
            assert (score.value, score.n) == (shape_bias(counted), counted["shape"] + counted["texture"])


def kappa(a: Sequence[bool] | np.ndarray, b: Sequence[bool] | np.ndarray) -> float | None:
    """Cohen's, None where both observers are always right, or both always wrong."""
    with warnings.catch_warnings():  # scikit-learn warns where it is not defined
        warnings.simplefilter("ignore")
        value = float(cohen_kappa_score(a, b))
    return None if math.isnan(value) else value


def test_the_kappa_of_two_observers_is_scikit_learns() -> None:
    undefined = 0
    for a, b in zip(rights(seed=71), rights(seed=72), strict=True):
        for other in (b, a, ~a):
            found, expected = error_consistency(a, other), kappa(a, other)
            undefined += expected is None
            assert found.kappa is None if expected is None else found.kappa == pytest.approx(expected, abs=1e-12)
            assert found.observed == pytest.approx(fmean(map(bool, a == other)))
    assert 10 < undefined < 180, "of 360"


def people(random: np.random.Generator, of: Case, accuracies: Sequence[float]) -> list[Observer]:
    """Each sees some of the stimuli; the last one all."""
    names, seen = categories(), 1 - 0.3 * (np.arange(len(accuracies)) < len(accuracies) - 1)
    observers = []
    for number, accuracy in enumerate(accuracies):
        trials = {}
        for row in of.rows:
            if random.random() < seen[number]:
                shape, texture = names[row["label"]], names[row["texture"]]
                said = shape if random.random() < accuracy else random.choice([texture, "na"])
                trials[row["sample_id"].removesuffix(".png")] = Trial(shape, texture, str(said))
        observers.append(Observer(f"subject-{number:02d}", trials))
    return [observer for observer in observers if observer.trials]


@pytest.mark.parametrize("metric", ["error_consistency"])
def test_consistency_with_people_is_the_mean_of_scikit_learns_kappas(metric: str) -> None:
    """Over those people with whom it is defined."""
    random, values = np.random.default_rng(73), []
    distinct = [of for of in CASES[::3] if not of.model.startswith("duplicates")]
    for of in sorted(distinct, key=lambda of: len(of.outcomes)):  # resamples of one size are drawn once
        observers = people(random, of, random.choice([0.0, 0.5, 0.9, 1.0], size=3))
        (score,) = consistency_scores({"": CellOutcomes(of.cell, of.outcomes)}, observers, "here")
        kappas = []
        for person in observers:
            both = [row for row in of.rows if row["sample_id"].removesuffix(".png") in person.trials]
            trials = [person.trials[row["sample_id"].removesuffix(".png")] for row in both]
            mine = [row["prediction"] == row["label"] for row in both]
            kappas.append(kappa(mine, [trial.response == trial.shape for trial in trials]) if both else None)
        defined = [value for value in kappas if value is not None]
        values.append(fmean(defined) if defined else None)
        assert score.metric == metric
        assert score.value is None if values[-1] is None else score.value == pytest.approx(values[-1], abs=1e-9)
    assert len(values) > 40 and 3 < values.count(None) < 20


def test_people_together_are_counted_trial_by_trial() -> None:
    random = np.random.default_rng(74)
    for of in [of for of in CASES if of.model.startswith("random")][::2]:
        observers = people(random, of, (0.2, 0.6, 1.0))
        total: Counter[str] = Counter()
        for trial in (trial for person in observers for trial in person.trials.values()):
            if trial.shape != trial.texture:
                total[{trial.shape: "shape", trial.texture: "texture"}.get(trial.response, "neither")] += 1
        together = [score for score in observer_scores(observers, "here") if score.model.startswith("humans")]
        for metric, reference in REFERENCES.items():
            values = [score.value for score in together if score.metric == metric]
            expected = reference(total)
            exists = expected is not None and len(observers) > 1
            assert values == ([pytest.approx(expected)] if exists else [])


def test_a_store_gives_the_same(tmp_path: Path) -> None:
    assert_same_from_disk(tmp_path, CASES[::25])
