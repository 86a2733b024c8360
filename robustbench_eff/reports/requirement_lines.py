"""Requirements and whether they are met: as lines on the terminal, and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from robustbench_eff.core.infinity import distance_text
from robustbench_eff.scores.gate import ENDS, Judgement
from robustbench_eff.scores.number_text import distance, with_interval
from robustbench_eff.scores.overview import perturbation
from robustbench_eff.scores.score import Score

MOST_DIGITS = 12
"""Digits after the point beyond which numbers that differ are said to differ no more."""


def requirement_lines(judgements: Sequence[Judgement]) -> list[str]:
    """Return a line for each: met or not, what was required of which number, the number with its interval, and why.

    Args:
        judgements: The judgements.
    """
    return [
        f"{'met' if item.is_met else 'NOT MET'}: {item.requirement.text} · {name}: {outcome(item)}"
        for item, name in zip(judgements, row_names(judgements), strict=True)
    ]


def row_names(judgements: Sequence[Judgement]) -> list[str]:
    """Return which score each judgement is about; where two are alike otherwise, with the protocol.

    Args:
        judgements: The judgements.
    """
    names = [_name(item.score) for item in judgements]
    counts = Counter((item.requirement.text, name) for item, name in zip(judgements, names, strict=True))
    return [
        f"{name} ({item.score.protocol})" if counts[item.requirement.text, name] > 1 else name
        for item, name in zip(judgements, names, strict=True)
    ]


def outcome(item: Judgement) -> str:
    """Return the number with its interval and n, what was held against the threshold, and why it does not count.

    Args:
        item: The judgement.
    """
    parts = []
    if item.score.value is not None:
        parts.append(f"{number_and_interval(item.score)}, n = {item.score.n}")
        if item.compared is not None:
            parts.append(_comparison(item))
    flags = [flag for flag in item.score.flags if flag != item.why_not]
    return "; ".join([*parts, *filter(None, [item.why_not]), *(flags if item.score.value is not None else [])])


def number_and_interval(score: Score) -> str:
    """Return a value with its unit and its 95 % interval, such as `78.00 % [68.6, 85.7]`.

    Args:
        score: A score with a value.
    """
    if score.definition.section == "distance":
        if score.low is None:
            return distance(score.value, score.searched_to)
        ends = (distance(end, score.searched_to) for end in (score.low, score.high))
        return f"{distance(score.value, score.searched_to)} [{', '.join(ends)}]"
    value, _, interval = with_interval(score, 2, 1).partition(" ")
    return f"{value} % {interval}" if score.definition.unit == "fraction" else f"{value} {interval}"


def plain(judgements: Sequence[Judgement]) -> list[dict[str, Any]]:
    """Return the judgements as JSON types; values are fractions or numbers as their metrics say.

    Args:
        judgements: The judgements.
    """
    names = ("model", "benchmark", "perturbation", "metric", "value", "low", "high", "n")
    return [
        {"requirement": item.requirement.text, "met": item.is_met}
        | {name: getattr(item.score, name) for name in names}
        | {
            "compared": item.requirement.compared,
            "threshold": item.requirement.threshold,
            "protocol": str(item.score.protocol),
            "why_not": item.why_not,
        }
        for item in judgements
    ]


def _name(score: Score) -> str:
    is_accuracy = score.metric.partition("@")[0] in ("accuracy", "robust_accuracy")
    what = perturbation(score) if is_accuracy else f"{score.metric}, {score.perturbation}"
    return f"{score.model} on {score.benchmark}, {'clean' if what == 'none' else what}"


def _comparison(item: Judgement) -> str:
    """Both numbers, with as many digits as it takes to tell them apart: 29.996 % is not 30 %."""
    threshold, compared = item.requirement.threshold, item.compared
    if compared is None:
        return ""
    for digits in range(2, MOST_DIGITS):
        text, limit = _written(compared, item.score, digits), _written(threshold, item.score, digits)
        if text != limit or compared == threshold:
            break
    opposite = {">=": "<", "<=": ">", ">": "<=", "<": ">="}
    reached = item.is_met or bool(item.why_not)
    operator = item.requirement.operator if reached else opposite[item.requirement.operator]
    return f"{ENDS[item.requirement.compared]} {text} {operator} {limit}"


def _written(value: float, score: Score, digits: int) -> str:
    if score.definition.unit == "fraction":
        return f"{100 * value:.{digits}f} %"
    if score.definition.section == "distance" and value == float("inf"):
        return distance_text(value, score.searched_to)
    return f"{value:.{digits + 2}g}"
