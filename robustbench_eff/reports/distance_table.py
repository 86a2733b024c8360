"""Median distances of adversarial images as a table."""

from __future__ import annotations

import math
from collections.abc import Sequence

from robustbench_eff.scores.headline import by_ball
from robustbench_eff.scores.number_text import distance
from robustbench_eff.scores.score import Score

from .score_rows import Marks, Printed, Row, table_of_rows

INFINITE = (
    "> and ∞: for at least half of the samples no adversarial image was found up to this distance, or at any distance. "
    "As the end of an interval: the true median may be that large."
)


def distance_tables(scores: Sequence[Score], marks: Marks) -> list[Printed]:
    """Return a table with one row per score.

    Args:
        scores: Median distances, in units of [0, 1] pixels.
        marks: The marks of protocols.
    """
    title = "Median distance of the closest adversarial image found, in [0, 1] pixels, with 95 % intervals"
    rows = [Row(score, {"median": score}) for score in by_ball(scores)]
    printed = table_of_rows(title, {"median": _median}, rows, marks, notes={"norm": _norm})
    is_infinite = any(math.inf in (score.value, score.low, score.high) for score in scores)
    below = [INFINITE if is_infinite else "", printed.below]
    return [Printed(printed.table, "\n".join(filter(None, below)))]


def _median(score: Score) -> str:
    """The median and its interval; a dash without one."""
    median = distance(score.value, score.searched_to)
    if score.low is None and score.high is None:
        return median
    ends = [distance(end, score.searched_to) for end in (score.low, score.high)]
    return f"{median} [{', '.join(ends)}]"


def _norm(score: Score) -> str:
    return score.metric.rpartition("_")[2]
