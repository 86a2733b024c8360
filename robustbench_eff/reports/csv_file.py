"""Rows of named values as a CSV file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from robustbench_eff.core.result_file import write_result


def write(rows: Iterable[Mapping[str, object]], columns: Sequence[str], path: Path) -> None:
    """Write rows as a CSV file in UTF-8; None becomes an empty field.

    Args:
        rows: Values by the names of their columns.
        columns: Names of the columns, in the order of the file.
        path: The file; one that exists is replaced.

    Raises:
        UsageError: The file cannot be written.
    """
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows(rows)
    write_result(path, text.getvalue().encode())
