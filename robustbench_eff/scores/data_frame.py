"""Scores as a data frame of pandas, one row for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from robustbench_eff.core.errors import MissingExtra

from .headline import ball_of, headlines
from .score import Score

if TYPE_CHECKING:
    from pandas import DataFrame

TYPES = {
    "model": "object",
    "benchmark": "object",
    "perturbation": "object",
    "metric": "object",
    "value": "float64",
    "low": "float64",
    "high": "float64",
    "n": "int64",
    "unit": "object",
    "higher_is_better": "bool",
    "kind": "object",
    "norm": "object",
    "eps": "float64",
    "headline": "bool",
    "searched_to": "float64",
    "detail": "object",
    "protocol": "object",
    "flags": "object",
}
"""The columns and their types, which are the same without any score."""


def data_frame(scores: Sequence[Score]) -> DataFrame:
    """Return the scores as a data frame, unrounded.

    Fractions lie in [0, 1]. What is missing is NaN, in columns of text an empty one; a distance may be infinite. Flags
    are sentences with semicolons between them.

    Args:
        scores: The scores.

    Raises:
        MissingExtra: pandas is not installed.
    """
    try:
        import pandas
    except ImportError as error:
        raise MissingExtra("pandas", "pandas") from error
    rows = [row_of(score, leads) for score, leads in zip(scores, headlines(scores), strict=True)]
    return pandas.DataFrame(rows, columns=list(TYPES)).astype(TYPES)


def row_of(score: Score, leads: bool) -> dict[str, Any]:
    """Return the values of a score by the names of the columns; None where there is none.

    Args:
        score: The score.
        leads: Whether it is the headline of its ball.
    """
    ball = ball_of(score)
    names = (
        "model",
        "benchmark",
        "perturbation",
        "metric",
        "value",
        "low",
        "high",
        "n",
        "kind",
        "searched_to",
        "detail",
    )
    return {name: getattr(score, name) for name in names} | {
        "unit": score.definition.unit,
        "higher_is_better": score.higher_is_better,
        "norm": "" if ball is None else ball.norm,
        "eps": None if ball is None else ball.eps,
        "headline": leads,
        "protocol": str(score.protocol),
        "flags": "; ".join(score.flags),
    }
