"""Accuracy by class and the confusion of classes as CSV files."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from robustbench_eff.core.disk import reporting_os_errors
from robustbench_eff.scores.class_tables import Values

BY_CLASS = (
    "model",
    "benchmark",
    "perturbation",
    "class",
    "name",
    "n",
    "right_clean",
    "right",
    "accuracy",
    "low",
    "high",
    "most_frequent_wrong",
    "wrong_name",
    "wrong_count",
    "protocol",
    "flags",
)
"""Columns of the file of accuracies by class, in their order."""
CONFUSION = (
    "model",
    "benchmark",
    "perturbation",
    "class",
    "name",
    "predicted",
    "predicted_name",
    "count",
    "protocol",
    "flags",
)
"""Columns of the file of the confusion of classes, in their order."""


def write(rows: Sequence[Values], columns: Sequence[str], path: Path) -> None:
    """Write rows as a CSV file in UTF-8; None becomes an empty field.

    Args:
        rows: Values by the names of their columns.
        columns: Names of the columns, in the order of the file.
        path: The file; one that exists is replaced.

    Raises:
        UsageError: The file cannot be written.
    """
    with reporting_os_errors(path), path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
