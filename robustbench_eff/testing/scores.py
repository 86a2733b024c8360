"""The contract of a score function, as checks that a plugin can run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from robustbench_eff.core.metric import METRICS, Metric, metric_of
from robustbench_eff.core.protocol import Protocol
from robustbench_eff.scores.cell_groups import BASE_COLUMNS, CellKind, CellOutcomes
from robustbench_eff.scores.score import Score
from robustbench_eff.scores.score_function import CellScores, GroupScores, ScoreContext, ScoreFunction
from robustbench_eff.storage.outcomes import SCHEMA
from robustbench_eff.storage.stored_cell import StoredCell

SAMPLES = 24


def declares_its_metrics(function: ScoreFunction) -> None:
    """Check that every score has a metric: of the package, or declared by the function as `vendor/name`.

    Args:
        function: A row of the table of scores.

    Raises:
        AssertionError: A metric is unknown, or replaces one of the package.
    """
    for metric in function.metrics:
        assert "/" in metric.name, f"{metric.name} must be named vendor/name"
        assert metric.name not in METRICS
        assert metric.summary
    for score in _scores(function):
        assert _metric(function, score) is not None, f"{score.metric} is not a metric"


def reads_only_columns_that_it_declares(function: ScoreFunction) -> None:
    """Check that a score needs no other columns of the outcomes than its `columns` and the base columns.

    Args:
        function: A row of the table of scores.

    Raises:
        KeyError: It reads another column.
    """
    assert set(function.columns) <= set(SCHEMA.names)
    _scores(function)


def stays_within_the_bounds_of_its_metrics(function: ScoreFunction) -> None:
    """Check that values lie within the bounds of their metrics and inside their intervals.

    Args:
        function: A row of the table of scores.

    Raises:
        AssertionError: A value is out of bounds or outside its interval.
    """
    for score in _scores(function):
        metric = _metric(function, score)
        if score.value is None or metric is None:
            continue
        assert metric.low is None or score.value >= metric.low - 1e-9
        assert metric.high is None or score.value <= metric.high + 1e-9
        if score.low is not None and score.high is not None:
            assert score.low - 1e-9 <= score.value <= score.high + 1e-9


def has_no_number_without_samples(function: ScoreFunction) -> None:
    """Check that a cell without finished samples gives no value, and no error.

    Args:
        function: A row of the table of scores.

    Raises:
        AssertionError: There is a value.
    """
    assert all(score.value is None for score in _scores(function, samples=0))


SCORE_CHECKS: tuple[Callable[[ScoreFunction], None], ...] = (
    declares_its_metrics,
    reads_only_columns_that_it_declares,
    stays_within_the_bounds_of_its_metrics,
    has_no_number_without_samples,
)
"""What holds for every score function."""


def _metric(function: ScoreFunction, score: Score) -> Metric | None:
    return metric_of(score.metric, function.metrics)


def _scores(function: ScoreFunction, samples: int = SAMPLES) -> list[Score]:
    """The scores of a made-up cell of every kind that the function is for."""
    items = [_item(kind, function.columns, samples) for kind in function.kinds]
    if isinstance(function, GroupScores):
        return function.compute(items, ScoreContext()) if samples else []
    assert isinstance(function, CellScores)
    return [score for item in items for score in function.compute(item)]


def _item(kind: CellKind, columns: tuple[str, ...], samples: int) -> CellOutcomes:
    """A finished cell with random outcomes, or one without any."""
    random = np.random.Generator(np.random.PCG64(0))
    labels, predictions = random.integers(0, 10, SAMPLES), random.integers(0, 10, SAMPLES)
    predictions = np.where(random.random(SAMPLES) < 0.6, labels, predictions)
    values: dict[str, Any] = {field.name: np.zeros(SAMPLES) for field in SCHEMA}
    values |= {"index": np.arange(SAMPLES), "label": labels, "clean_prediction": labels, "prediction": predictions}
    values |= {"correct": predictions == labels, "correct_8bit": predictions == labels}
    values |= {name: random.random(SAMPLES) for name in ("confidence", "prediction_confidence", "distance_linf")}
    values["texture"] = random.integers(0, 10, SAMPLES) if kind == "cue conflict" else np.full(SAMPLES, -1)
    texts = {name: [""] * SAMPLES for name in ("won_by", "note", "flag")}
    texts["sample_id"] = [f"ILSVRC2012_val_{row + 1:08d}.JPEG" for row in range(SAMPLES)]
    rankings = {"ranking": random.integers(0, 10, (SAMPLES, 4 * 5)).tolist()}
    arrays = [pa.array((values | texts | rankings)[field.name]).cast(field.type) for field in SCHEMA]
    read = dict.fromkeys(("index", *BASE_COLUMNS, *columns, *(["distance_linf"] if kind == "minimum norm" else [])))
    table = pa.Table.from_arrays(arrays, schema=SCHEMA).select(list(read))
    return CellOutcomes(_cell(kind), table.slice(0, samples))


def _cell(kind: CellKind) -> StoredCell:
    threat = {"threat": {"norm": "linf", "eps": None if kind == "minimum norm" else 8 / 255}}
    frames = {"sequence": "tilt_sequence", "difficulty": 1, "frames": 4, "compared_with": "previous"}
    configurations = {
        "attack": threat,
        "minimum norm": threat,
        "corruption": {"corruption": "fog", "severity": 3, "constants": "imagenet"},
        "sequence": frames | {"constants": "imagenet"},
    }
    kinds = {"clean": "none", "cue conflict": "none", "minimum norm": "attack"}
    record = {
        "model": "a model",
        "model_source": "made up",
        "model_digest": "0",
        "preprocessing": "",
        "benchmark": "imagenet" if kind == "clean" else "digits",
        "protocol": Protocol(split="test", count=SAMPLES, total=SAMPLES).changed_fields(),
        "data": "0",
        "classes": "",
        "samples": SAMPLES,
        "perturbation": kind,
        "kind": kinds.get(kind, kind),
        "uses": None,
        "configuration": configurations.get(kind, {}),
        "seed": None,
    }
    return StoredCell.from_record("made up", record)
