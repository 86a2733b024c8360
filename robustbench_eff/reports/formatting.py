"""How scores are written: in percent, unless they are no fractions, with their 95 % intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from robustbench_eff.scores.score import Score

if TYPE_CHECKING:
    from robustbench_eff.scores.compare import Comparison

PLAIN = ("top5_distance", "mean_top5_distance", "error_consistency")
"""How the names of scores begin that are no fractions."""


def percent(value: float | None, digits: int = 2, sign: str = "") -> str:
    """A fraction as text, an absence as a dash."""
    return "-" if value is None else f"{100 * value:{sign}.{digits}f}"


def number(value: float | None, metric: str, digits: int = 2, sign: str = "") -> str:
    """A value of this metric in percent; what is no fraction as it is, with two digits."""
    plain = value is not None and metric.startswith(PLAIN)
    return f"{value:{sign}.2f}" if plain else percent(value, digits, sign)


def interval(score: Score | Comparison, digits: int = 2) -> str:
    """The 95 % interval, or a dash."""
    ends = (number(end, score.metric, digits) for end in (score.low, score.high))
    return "-" if score.low is None else f"[{', '.join(ends)}]"


def with_interval(score: Score | None, digits: int = 1, ends: int | None = None) -> str:
    """The value and its interval, whose `ends` may have other digits; a dash without a value, "" without a score."""
    if score is None:
        return ""
    if score.value is None:
        return "-"
    return f"{number(score.value, score.metric, digits)} {interval(score, digits if ends is None else ends)}"
