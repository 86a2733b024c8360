"""Certified accuracy as a table: one row per smoothed classifier, one column per radius."""

from __future__ import annotations

from collections.abc import Sequence

from robustbench_eff.core import spec
from robustbench_eff.scores.score import Score

from .formatting import with_interval
from .score_rows import Marks, Printed, add_row, row_table

AT_RADIUS = "certified_accuracy@"
BELOW = (
    "Certified: correct, and provably the same for every image within that L2 distance, with error probability α per "
    "image. The smoothed classifier is certified, not the network. Abstentions are not correct."
)


def certificate_tables(scores: Sequence[Score], marks: Marks) -> list[Printed]:
    """Return the table of certified accuracies, mean radii and abstentions.

    Args:
        scores: Scores of the section `certificate`.
        marks: The marks of protocols.
    """
    rows: dict[tuple[str, str], dict[str, Score]] = {}
    for score in scores:
        rows.setdefault((score.model, score.cell), {})[score.metric] = score
    radii = sorted({_radius(score.metric) for score in scores if score.metric.startswith(AT_RADIUS)})
    columns = [*(f"at {radius:g}" for radius in radii), "mean radius", "abstained"]
    table = row_table("Certified accuracy in % at L2 radii, with 95 % intervals", columns, scores)
    for by_metric in rows.values():
        at_radius = {_radius(metric): score for metric, score in by_metric.items() if metric.startswith(AT_RADIUS)}
        cells = [with_interval(at_radius.get(radius), ends=0) for radius in radii]
        cells += [with_interval(by_metric.get(name), ends=ends) for name, ends in _LAST.items()]
        flags = dict.fromkeys(flag for score in by_metric.values() for flag in score.flags)
        first = by_metric["abstention_rate"]
        add_row(table, first, cells, marks, tuple(flags))
    return [Printed(table, BELOW)]


_LAST = {"average_certified_radius": 2, "abstention_rate": 0}
"""Digits of the ends of the intervals in the last columns, by metric."""


def _radius(metric: str) -> float:
    return spec.number(metric.removeprefix(AT_RADIUS))
