"""Accuracy by class as a table: clean, and in every ball under its headline."""

from __future__ import annotations

from collections.abc import Sequence

from robustbench_eff.scores.headline import ball_of, by_ball, subject_of
from robustbench_eff.scores.number_text import with_interval
from robustbench_eff.scores.score import Score

from .score_rows import Marks, Printed, Row, table_of_rows

MEAN, WORST = "mean over classes", "worst class"
BELOW = "The worst class is the one with the lowest accuracy here; the interval is for the lowest true one of all."


def class_tables(scores: Sequence[Score], marks: Marks) -> list[Printed]:
    """Return the table of the mean over classes and of the worst class.

    Attacks that are part of a worst case have no row; their scores are in the JSON report.

    Args:
        scores: Scores of the section `by class`.
        marks: The marks of protocols.
    """
    rows: dict[tuple[str, str, str, str], dict[str, Score]] = {}
    for score in _without_parts(by_ball(scores)):
        key = (score.model, score.benchmark, score.cell or score.perturbation, str(score.protocol))
        rows.setdefault(key, {})[MEAN if score.metric.startswith("balanced") else WORST] = score
    found = [Row(cells.get(WORST, next(iter(cells.values()))), cells) for cells in rows.values()]
    written = {MEAN: with_interval, WORST: with_interval}
    title = "Accuracy by class in %, with 95 % intervals"
    printed = table_of_rows(title, written, found, marks, notes={"which class": lambda score: score.detail})
    return [Printed(printed.table, "\n".join(filter(None, (BELOW, printed.below))))]


def _without_parts(scores: Sequence[Score]) -> list[Score]:
    """The scores without those of single attacks in a ball that has a score under all of them."""
    together = {(subject_of(score), score.ball) for score in scores if score.ball is not None}
    return [score for score in scores if score.ball is not None or (subject_of(score), ball_of(score)) not in together]
