"""What clean images say beyond accuracy, as a table: a row a benchmark."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from robustbench_eff.scores.score import Score

from .formatting import with_interval

COLUMNS = {
    "balanced_accuracy": "balanced accuracy",
    "worst_class_accuracy": "worst class",
    "expected_calibration_error": "ECE",
    "rms_calibration_error": "RMS calibration",
    "aurc": "AURC",
}


def belongs(score: Score) -> bool:
    """Whether the score is one of these."""
    return score.metric in COLUMNS


def clean_table(scores: Sequence[Score], number: dict[str, str]) -> Table:
    """One row a model and benchmark; `scores` are those that belong here, `number` the marks of protocols."""
    table = Table(title="Clean images, by class and by confidence, in % with 95 % intervals", title_justify="left")
    for name in ("model", "benchmark"):
        table.add_column(name, overflow="fold")
    for name in (*COLUMNS.values(), "n", "protocol"):
        table.add_column(name, justify="right")
    rows: dict[str, list[Score]] = {}
    for score in scores:
        rows.setdefault(f"{score.model}\n{score.cell}", []).append(score)
    for row in rows.values():
        found = {score.metric: score for score in row}
        cells = [with_interval(found.get(metric), 2 if metric == "aurc" else 1) for metric in COLUMNS]
        one = row[0]
        texts = [one.model, one.benchmark, *cells, str(one.n), number[one.protocol]]
        table.add_row(*(Text(text) for text in texts))
    return table
