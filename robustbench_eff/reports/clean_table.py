"""Scores of clean images besides accuracy as a table: one row per model and benchmark."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from robustbench_eff.scores.score import Score

from .formatting import with_interval
from .score_rows import Marks, Printed

COLUMNS = {
    "balanced_accuracy": "balanced accuracy",
    "worst_class_accuracy": "worst class",
    "expected_calibration_error": "ECE",
    "rms_calibration_error": "RMS calibration",
    "aurc": "AURC",
}
"""Headings by metric."""


def clean_tables(scores: Sequence[Score], marks: Marks) -> list[Printed]:
    """Return the table of accuracy by class and calibration.

    Args:
        scores: Scores of the section `clean`.
        marks: The marks of protocols.
    """
    table = Table(title="Clean images, by class and by confidence, in % with 95 % intervals", title_justify="left")
    for name in ("model", "benchmark"):
        table.add_column(name, overflow="fold")
    for name in (*COLUMNS.values(), "n", "protocol"):
        table.add_column(name, justify="right")
    if any(score.flags for score in scores):
        table.add_column("flags", overflow="fold")
    rows: dict[tuple[str, str], dict[str, Score]] = {}
    for score in scores:
        rows.setdefault((score.model, score.cell), {})[score.metric] = score
    for by_metric in rows.values():
        cells = [with_interval(by_metric.get(metric), 2 if metric == "aurc" else 1) for metric in COLUMNS]
        first = next(iter(by_metric.values()))
        texts = [first.model, first.benchmark, *cells, str(first.n), marks[first.protocol]]
        if len(table.columns) > len(texts):
            texts.append(", ".join(first.flags))
        table.add_row(*map(Text, texts))
    return [Printed(table)]
