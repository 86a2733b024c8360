"""The contract of a score function, as checks that a plugin can run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from robustbench_eff.core.flags import NOT_FINITE
from robustbench_eff.core.infinity import is_number
from robustbench_eff.core.metric import METRICS, Metric, metric_of
from robustbench_eff.core.protocol import Protocol
from robustbench_eff.registry.perturbation_sets import IMAGENET_C, IMAGENET_P
from robustbench_eff.scores.alexnet import published
from robustbench_eff.scores.cell_groups import CellKind, CellOutcomes, columns_of, comparable
from robustbench_eff.scores.score import Score
from robustbench_eff.scores.score_function import CellScores, ScoreContext, ScoreFunction
from robustbench_eff.storage.outcomes import SCHEMA
from robustbench_eff.storage.stored_cell import PerturbationKind, StoredCell

VOTES = 4
"""Votes of a made-up cell of a network that draws at random."""
SAMPLES = 24
CLASSES, FRAMES, RANKS = 10, 4, 5
SMOOTHING = {"sigma": 0.25, "n": 1000, "n0": 100, "alpha": 0.001}


def declares_its_metrics(function: ScoreFunction) -> None:
    """Check that every score has a metric: of the package, or declared by the function as `vendor/name`.

    Args:
        function: A row of the table of scores.

    Raises:
        AssertionError: A metric is unknown, or replaces one of the package.
    """
    for metric in function.metrics:
        assert "/" in metric.name, f"{metric.name} must be named vendor/name"
        assert metric.name not in METRICS, f"{metric.name} is a metric of the package"
        assert metric.summary, f"{metric.name} needs a summary"
    for score in made_up_scores(function):
        assert _metric(function, score) is not None, f"{score.metric} is not a metric"


def reads_only_columns_that_it_declares(function: ScoreFunction) -> None:
    """Check that a score needs no other columns of the outcomes than its `columns` and the base columns.

    Args:
        function: A row of the table of scores.

    Raises:
        AssertionError: A declared column does not exist.
        KeyError: The function reads a column that it does not declare.
    """
    assert set(function.columns) <= set(SCHEMA.names), "columns of the outcomes are listed in storage.outcomes.SCHEMA"
    made_up_scores(function)


def stays_within_the_bounds_of_its_metrics(function: ScoreFunction) -> None:
    """Check that values lie within the bounds of their metrics and inside their intervals.

    Args:
        function: A row of the table of scores.

    Raises:
        AssertionError: A value is out of bounds or outside its interval.
    """
    for accuracy in (0.0, 0.6, 1.0):
        for score in made_up_scores(function, accuracy=accuracy):
            metric = _metric(function, score)
            if score.value is None or metric is None:
                continue
            assert metric.low is None or score.value >= metric.low - 1e-9, f"{score.metric} is below its bound"
            assert metric.high is None or score.value <= metric.high + 1e-9, f"{score.metric} is above its bound"
            if score.low is not None and score.high is not None:
                inside = score.low - 1e-9 <= score.value <= score.high + 1e-9
                assert inside, f"{score.metric} lies outside its interval"


def has_finite_numbers(function: ScoreFunction) -> None:
    """Check that values and intervals are finite numbers or None; distances and their upper ends may be infinite.

    Args:
        function: A row of the table of scores.

    Raises:
        AssertionError: A value or an end is NaN, or infinite where its metric is not a distance.
    """
    for accuracy, samples in product((0.0, 0.6, 1.0), (0, 1, SAMPLES)):
        for score in made_up_scores(function, samples=samples, accuracy=accuracy):
            metric = _metric(function, score)
            is_distance = metric is not None and metric.section == "distance"
            for name in ("value", "low", "high"):
                number = getattr(score, name)
                sound = is_number(number, may_be_infinite=is_distance)
                assert sound, f"{name} of {score.metric}{NOT_FINITE}: {number}"


def has_no_number_without_samples(function: ScoreFunction) -> None:
    """Check that cells without finished samples give no value, and no error.

    Args:
        function: A row of the table of scores.

    Raises:
        AssertionError: There is a value.
    """
    assert all(score.value is None for score in made_up_scores(function, samples=0)), "a value without any sample"


SCORE_CHECKS: tuple[Callable[[ScoreFunction], None], ...] = (
    declares_its_metrics,
    reads_only_columns_that_it_declares,
    has_finite_numbers,
    stays_within_the_bounds_of_its_metrics,
    has_no_number_without_samples,
)
"""Checks that hold for every score function."""


def made_up_scores(function: ScoreFunction, *, samples: int = SAMPLES, accuracy: float = 0.6) -> list[Score]:
    """Return the scores of one model with random outcomes, from cells of every kind that the function is for.

    The cells are ImageNet and one natural shift of it, cue-conflict images, ImageNet-C at all severities, the sequences
    of ImageNet-P, two attacks in one ball, a minimum-norm attack, a security curve, certificates, an attack on them.

    Args:
        function: A row of the table of scores.
        samples: Number of finished samples of each cell, from 0 to 24; all 24 make the cell complete.
        accuracy: Probability that a prediction is correct, and that a frame has the ranking of the frames before.
    """
    items = [_item(cell, function.columns, samples, accuracy) for kind in function.kinds for cell in _CELLS[kind]]
    if isinstance(function, CellScores):
        return [score for item in items for score in function.compute(item)]
    distances = dict.fromkeys(published().flip_probabilities, 3.0)
    context = ScoreContext(alexnet=replace(published(), top5_distances=distances))
    groups = comparable(items) if function.over == "comparable cells" else [items]
    return [score for group in groups for score in function.compute(group, context)]


class _MadeUp(NamedTuple):
    """What a made-up cell does to which images."""

    kind: CellKind
    benchmark: str
    perturbation: str
    configuration: Mapping[str, Any]


def _attack(kind: CellKind, perturbation: str, **configuration: Any) -> _MadeUp:
    eps = None if kind == "minimum norm" else 8 / 255
    return _MadeUp(kind, "digits", perturbation, {"threat": {"norm": "linf", "eps": eps}} | configuration)


def _corruption(name: str, severity: int) -> _MadeUp:
    configuration = {"corruption": name, "severity": severity, "constants": "imagenet"}
    return _MadeUp("corruption", "imagenet-c-generated", f"{name}(severity={severity})", configuration)


def _sequence(name: str) -> _MadeUp:
    configuration = {"sequence": name, "difficulty": 1, "constants": "imagenet", "frames": FRAMES}
    configuration["compared_with"] = "first" if "noise" in name else "previous"
    return _MadeUp("sequence", "imagenet-p-generated", name, configuration)


_CELLS: Mapping[CellKind, Sequence[_MadeUp]] = {
    "clean": [
        _MadeUp("clean", "imagenet", "none", {}),
        _MadeUp("clean", "imagenet-sketch", "none", {}),
        _MadeUp("clean", "cifar10", "none", {"votes_per_image": VOTES}),
    ],
    "cue conflict": [_MadeUp("cue conflict", "cue-conflict", "none", {})],
    "corruption": [_corruption(name, severity) for name in IMAGENET_C for severity in range(1, 6)],
    "sequence": [_sequence(name) for name in IMAGENET_P],
    "attack": [
        _attack("attack", "pgd(eps=8/255)"),
        _attack("attack", "fgsm(eps=8/255)"),
        _attack("attack", "one_pixel(pixels=1, targets=9)", targets=9, threat={"norm": "l0", "eps": 1}),
        _attack("attack", "pgd(eps=8/255)", votes_per_image=VOTES)._replace(benchmark="cifar10"),
    ],
    "minimum norm": [
        _attack("minimum norm", "fmn(eps=None)"),
        _attack("minimum norm", "security_curve(eps=(4/255, 8/255))", eps=[4 / 255, 8 / 255]),
    ],
    "certificate": [_MadeUp("certificate", "digits", "smoothing(sigma=0.25)", {"smoothing": SMOOTHING})],
    "smoothed attack": [
        _attack("smoothed attack", "pgd(eps=8/255) on smoothing(sigma=0.25)", smoothing=SMOOTHING),
    ],
}


def _metric(function: ScoreFunction, score: Score) -> Metric | None:
    return metric_of(score.metric, function.metrics)


def _item(made_up: _MadeUp, columns: tuple[str, ...], samples: int, accuracy: float) -> CellOutcomes:
    """Return a cell with random outcomes of its first samples, in the columns that a function may read."""
    random = np.random.Generator(np.random.PCG64(sum(map(ord, made_up.benchmark + made_up.perturbation))))
    labels = random.integers(0, CLASSES, SAMPLES)
    others = (labels + random.integers(1, CLASSES, SAMPLES)) % CLASSES
    correct = random.random(SAMPLES) < accuracy
    values: dict[str, Any] = {field.name: np.zeros(SAMPLES) for field in SCHEMA}
    values |= {"index": np.arange(SAMPLES), "label": labels, "clean_prediction": labels}
    values |= {"prediction": np.where(correct, labels, others), "correct": correct, "correct_8bit": correct}
    values |= {name: random.uniform(0.6, 1.0, SAMPLES) for name in ("confidence", "prediction_confidence")}
    values["radius"], values["votes"] = random.uniform(0.1, 0.6, SAMPLES), [[]] * SAMPLES
    values["distance_linf"] = random.uniform(0.0, 0.1, SAMPLES)
    values["distance_l2"] = np.full(SAMPLES, 1.0)  # beyond all certified radii
    values["texture"] = others if made_up.kind == "cue conflict" else np.full(SAMPLES, -1)
    values |= {name: [""] * SAMPLES for name in ("won_by", "note", "flag")}
    values["sample_id"] = [f"ILSVRC2012_val_{row + 1:08d}.JPEG" for row in range(SAMPLES)]
    votes = made_up.configuration.get("votes_per_image", 0)
    values["votes"] = (random.random((SAMPLES, votes)) < accuracy).tolist()
    values["ranking"] = _rankings(random, accuracy).reshape(SAMPLES, FRAMES * RANKS).tolist()
    arrays = [pa.array(values[field.name]).cast(field.type) for field in SCHEMA]
    table = pa.Table.from_arrays(arrays, schema=SCHEMA)
    cell = _cell(made_up)
    return CellOutcomes(cell, table.select(["index", *columns_of(cell, columns)]).slice(0, samples))


def _rankings(random: np.random.Generator, stable: float) -> np.ndarray:
    """Return the five best classes of every frame; a frame has those of the first frame with probability `stable`."""
    shuffled = random.permuted(np.tile(np.arange(CLASSES), (SAMPLES, FRAMES, 1)), axis=2)[:, :, :RANKS]
    is_stable = random.random((SAMPLES, FRAMES, 1)) < stable
    rankings: np.ndarray = np.where(is_stable, shuffled[:, :1], shuffled)
    return rankings


def _cell(made_up: _MadeUp) -> StoredCell:
    kinds: Mapping[CellKind, PerturbationKind] = {
        "clean": "none",
        "cue conflict": "none",
        "minimum norm": "attack",
        "smoothed attack": "attack",
    }
    kind = kinds.get(made_up.kind, made_up.kind)
    return StoredCell(
        id=f"{made_up.benchmark} {made_up.perturbation}",
        model="a model",
        model_source="made up",
        model_digest="0",
        preprocessing="",
        benchmark=made_up.benchmark,
        protocol=Protocol(split="test", count=SAMPLES, total=SAMPLES),
        data="0",
        classes="",
        samples=SAMPLES,
        perturbation=made_up.perturbation,
        kind=kind,  # type: ignore[arg-type]
        uses="gradients" if kind == "attack" else None,
        configuration=made_up.configuration,
        seed=None,
    )
