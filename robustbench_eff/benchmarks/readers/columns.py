"""Which column of a table holds the labels."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from robustbench_eff.core.errors import DataError, RobustEvalWarning

WEAK_NAMES = ("labels", "y", "target", "targets", "category")
"""Names that mean labels only where no column has a better name."""


def label_columns(columns: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return all columns that may hold the labels, the preferred one first.

    Args:
        columns: All columns.
        names: Names of columns with labels in lower case, in order of preference.
    """
    by_name = {column.lower(): column for column in columns}
    return [by_name[name] for name in (*names, *WEAK_NAMES) if name in by_name]


def warn_of_other_labels(found: Sequence[str], names: Sequence[str], origin: str) -> None:
    """Say which column is taken for the labels, where others might be.

    Args:
        found: The result of `label_columns`, not empty.
        names: Names of columns with labels, in order of preference.
        origin: The table, for the message.

    Raises:
        DataError: Several columns have names that may mean labels, and none has a name that does.
    """
    picked, *others = found
    shown = " or ".join(map(repr, others))
    if others and picked.lower() not in names:
        raise DataError(f"{origin}: the labels may be the column {picked!r} or {shown}.", f"Rename it to {names[0]}.")
    if others:
        warnings.warn(f"{origin}: labels are read from {picked!r}, not from {shown}.", RobustEvalWarning, stacklevel=4)
