"""Certified accuracy as a table: one row per smoothed classifier, one column per radius."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from robustbench_eff.core import spec
from robustbench_eff.scores.number_text import with_interval
from robustbench_eff.scores.score import Score

from .score_rows import Marks, Printed, Row, table_of_rows

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
        rows.setdefault((score.model, score.cell), {})[_heading(score.metric)] = score
    radii = sorted({_radius(score.metric) for score in scores if score.metric.startswith(AT_RADIUS)})
    columns = {f"at {radius:g}": partial(with_interval, ends=0) for radius in radii} | LAST_COLUMNS
    title = "Certified accuracy in % at L2 radii, with 95 % intervals"
    printed = table_of_rows(title, columns, [Row(next(iter(cells.values())), cells) for cells in rows.values()], marks)
    return [Printed(printed.table, "\n".join(filter(None, (BELOW, printed.below))))]


LAST = {"average_certified_radius": "mean radius", "abstention_rate": "abstained"}
"""Headings of the last columns, by metric."""
LAST_COLUMNS = {"mean radius": partial(with_interval, ends=2), "abstained": partial(with_interval, ends=0)}


def _heading(metric: str) -> str:
    return f"at {_radius(metric):g}" if metric.startswith(AT_RADIUS) else LAST[metric]


def _radius(metric: str) -> float:
    return spec.number(metric.removeprefix(AT_RADIUS))
