"""The gate: which requirements the scores of a run or of a store meet. What is not known is never met."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from robustbench_eff.core.flags import FAILED, PARTIAL, is_doubted

from .requirement import Requirement
from .requirement_rows import RequiredRow, required_rows
from .score import Score
from .worst_case import LEFT_OUT

INCOMPLETE = PARTIAL[0]
ENDS = {"low": "lower end", "value": "value", "high": "upper end"}


class Judgement(NamedTuple):
    """Whether one score meets a requirement."""

    requirement: Requirement
    score: Score
    """The score; without a value where there is none."""
    compared: float | None
    """What was held against the threshold, a fraction or a number; None where that is unknown."""
    is_met: bool
    why_not: str
    """Why a number that may reach the threshold does not count; empty where it is met, or simply too low or high."""


def judged(
    requirements: Sequence[Requirement], scores: Sequence[Score], *, accept_doubted: bool = False
) -> list[Judgement]:
    """Return whether each score that a requirement is about meets it, requirement by requirement.

    A score without a value, one of some of the samples only, and one that leaves an unfinished attack out meet none.
    Nor does one that is suspected of being better than the truth meet one that asks for a good number. Samples that
    were drawn at random count, since their interval says what they leave open.

    Args:
        requirements: The requirements.
        scores: All scores of the run or the store.
        accept_doubted: Let numbers count that are suspected of being better than the truth.

    Raises:
        UsageError: A requirement is about none of the scores.
    """
    return [
        _judgement(requirement, row, accept_doubted=accept_doubted)
        for requirement in requirements
        for row in required_rows(requirement, scores)
    ]


def _judgement(requirement: Requirement, row: RequiredRow, *, accept_doubted: bool) -> Judgement:
    score = row.score
    compared: float | None = getattr(score, requirement.compared)
    why_not = row.lacks or _why_unknown(requirement, score, compared)
    if not why_not and not accept_doubted and requirement.wants_more == score.higher_is_better:
        why_not = next((flag for flag in score.flags if is_doubted([flag])), "")
    is_met = not why_not and compared is not None and _reaches(compared, requirement)
    if is_met and compared == math.inf and score.searched_to is not None and requirement.threshold > score.searched_to:
        is_met, why_not = False, f"the search ended at {score.searched_to:.4g}: what lies beyond is unknown"
    return Judgement(requirement, score, compared, is_met, why_not)


def _why_unknown(requirement: Requirement, score: Score, compared: float | None) -> str:
    """Why the number does not say what is asked; empty if it does."""
    if flag := next((flag for flag in score.flags if flag.startswith(FAILED)), ""):
        return flag
    if flag := next((flag for flag in score.flags if flag.startswith(INCOMPLETE) or flag.endswith(LEFT_OUT)), ""):
        return flag
    if score.value is None or math.isnan(score.value):
        return "there is no value"
    if compared is None or math.isnan(compared):
        return f"it has no 95 % interval; value(...) {requirement.operator} ... compares the value alone"
    return ""


def _reaches(compared: float, requirement: Requirement) -> bool:
    return {
        ">=": compared >= requirement.threshold,
        "<=": compared <= requirement.threshold,
        ">": compared > requirement.threshold,
        "<": compared < requirement.threshold,
    }[requirement.operator]
