"""Median distances of adversarial images as a table."""

from __future__ import annotations

import math
from collections.abc import Sequence

from robustbench_eff.scores.score import Score

from .formatting import distance
from .score_rows import Marks, Printed, add_row, row_table

INFINITE = (
    "> and ∞: the search found an adversarial image of at most half of the samples, up to this distance or at all; "
    "as the end of an interval: this cannot be ruled out."
)


def distance_tables(scores: Sequence[Score], marks: Marks) -> list[Printed]:
    """Return a table with one row per score.

    Args:
        scores: Median distances, in units of [0, 1] pixels.
        marks: The marks of protocols.
    """
    title = "Median distance of the closest adversarial image found, in [0, 1] pixels, with its 95 % interval"
    table = row_table(title, ("norm", "median", "interval"), scores)
    for score in scores:
        ends = [distance(end, score.searched_to) for end in (score.low, score.high)]
        interval = "-" if score.low is None and score.high is None else f"[{', '.join(ends)}]"
        norm = score.metric.rpartition("_")[2]
        add_row(table, score, [norm, distance(score.value, score.searched_to), interval], marks)
    is_infinite = any(math.inf in (score.value, score.low, score.high) for score in scores)
    return [Printed(table, INFINITE if is_infinite else "")]
