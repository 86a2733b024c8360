"""Scores of clean images besides accuracy as a table: one row per model and benchmark."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from robustbench_eff.scores.number_text import with_interval
from robustbench_eff.scores.score import Score

from .score_rows import Marks, Printed, Row, table_of_rows

COLUMNS = {"expected_calibration_error": "ECE", "rms_calibration_error": "RMS calibration", "aurc": "AURC"}
"""Headings by metric."""
WRITTEN: Mapping[str, Callable[[Score], str]] = {
    heading: partial(with_interval, digits=2 if metric == "aurc" else 1) for metric, heading in COLUMNS.items()
}


def clean_tables(scores: Sequence[Score], marks: Marks) -> list[Printed]:
    """Return the table of calibration and of the risk-coverage curve.

    Args:
        scores: Scores of the section `clean`.
        marks: The marks of protocols.
    """
    rows: dict[tuple[str, str], dict[str, Score]] = {}
    for score in scores:
        rows.setdefault((score.model, score.cell), {})[COLUMNS[score.metric]] = score
    title = "Confidence on clean images, in % with 95 % intervals"
    found = [Row(next(iter(cells.values())), cells) for cells in rows.values()]
    return [table_of_rows(title, WRITTEN, found, marks, ("model", "benchmark"))]
