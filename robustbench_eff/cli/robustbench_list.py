"""`robust-eval list models 'robustbench:*'`: RobustBench's models and what it publishes about them."""

from __future__ import annotations

from fnmatch import fnmatch

from robustbench_eff.core.errors import UsageError, did_you_mean
from robustbench_eff.models.robustbench_table import PACKAGE, PREFIX, RobustBenchEntry, robustbench_entries
from robustbench_eff.publishing.robustbench_numbers import PublishedNumbers, published_numbers

HEADER = ("model", "architecture", "clean", "AutoAttack", "best known", "corruptions", "remarks")
NO_NUMBER = "–"


def is_robustbench(pattern: str | None) -> bool:
    """Return whether a pattern asks for RobustBench's models.

    Args:
        pattern: What the user wrote after `list models`.
    """
    return pattern is not None and pattern.startswith(PREFIX)


def robustbench_rows(pattern: str) -> list[tuple[str, ...]]:
    """Return one row for every model whose full name, or whose end of it, matches, in the order of the names.

    Args:
        pattern: `robustbench:` and a part of a name, or a glob, in any case.

    Raises:
        UsageError: No model matches.
    """
    text = pattern.removeprefix(PREFIX).lower()
    glob = text if any(mark in text for mark in "*?[") else f"*{text}*"
    numbers = published_numbers()
    rows = [
        _row(entry, numbers[entry.alias])
        for entry in robustbench_entries().values()
        if fnmatch(entry.name.lower(), glob) or fnmatch(entry.short.lower(), glob)
    ]
    if not rows:
        known = [entry.short for entry in robustbench_entries().values()]
        raise UsageError(f"No model of RobustBench matches {pattern!r}.", did_you_mean(text, known))
    return rows


def _row(entry: RobustBenchEntry, numbers: PublishedNumbers) -> tuple[str, ...]:
    values = (numbers.clean, numbers.autoattack, numbers.best_known, numbers.corruptions)
    remarks = [
        "unreliable" if numbers.flags else "",
        "" if entry.weights else "no weights",
        "needs a GPU and a factory" if entry.weights and not entry.network else "",
        "needs the package robustbench" if entry.network == PACKAGE else "",
    ]
    cells = [NO_NUMBER if value is None else f"{100 * value:.2f} %" for value in values]
    return f"{PREFIX}{entry.name}", entry.label, *cells, ", ".join(filter(None, remarks))
