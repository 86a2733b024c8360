"""The columns of a sweep's table, from the scores of an evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from robustbench_eff.core.flags import flags_over
from robustbench_eff.scores.score import Score

MEASURED = ("accuracy", "robust_accuracy", "shape_bias")
"""Metrics that become columns."""


def columns(scores: list[Score]) -> dict[str, float]:
    """Return values by column: accuracies by benchmark and perturbation, and shape biases.

    Accuracies under corruptions become a single column, their mean.

    Args:
        scores: The scores of an evaluation.
    """
    return {name: fmean(values) for name, of in _by_column(scores).items() if (values := _values(of))}


def column_flags(scores: list[Score]) -> dict[str, tuple[str, ...]]:
    """Return the flags of the values by column; columns without flags are left out.

    Args:
        scores: The scores of an evaluation.
    """
    found = {name: flags_over([score.flags for score in of]) for name, of in _by_column(scores).items()}
    return {name: flags for name, flags in found.items() if flags}


def _values(scores: Sequence[Score]) -> list[float]:
    return [score.value for score in scores if score.value is not None]


def _by_column(scores: Sequence[Score]) -> dict[str, list[Score]]:
    """Scores with a value by the column that they belong to; of several for one column of a single cell, the last."""
    found: dict[str, list[Score]] = {}
    corrupted: dict[str, list[Score]] = {}
    for score in scores:
        if score.metric not in MEASURED or score.value is None:
            continue
        if score.metric == "shape_bias":
            found[f"{score.benchmark}, shape bias"] = [score]
        elif score.kind == "corruption":
            corrupted.setdefault(score.benchmark, []).append(score)
        elif score.kind == "attack":
            found[f"{score.benchmark}, {score.perturbation}"] = [score]
        elif score.kind == "none":
            found[score.benchmark] = [score]
    return found | {f"{name}, mean of {len(of)} corruptions": of for name, of in corrupted.items()}
