"""`robust-eval list models 'robustbench:*'`: RobustBench's models and what it publishes about them."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatch
from typing import TYPE_CHECKING

from robustbench_eff.core.errors import UsageError, did_you_mean
from robustbench_eff.models.robustbench_table import PACKAGE, PREFIX, RobustBenchEntry, robustbench_entries

if TYPE_CHECKING:
    from robustbench_eff.publishing.robustbench_numbers import PublishedNumbers

HEADER = ("robustbench:", "clean", "AA", "best", "C", "network")
CAPTION = "In percent, as RobustBench publishes them: clean, AutoAttack, the best attack known, mean over corruptions."
NO_NUMBER = "–"


def is_robustbench(word: str) -> bool:
    """Return whether a word asks for RobustBench's models.

    Args:
        word: What the user wrote first after `list models`.
    """
    return word.startswith(PREFIX)


def robustbench_rows(words: Sequence[str]) -> list[tuple[str, ...]]:
    """Return one row for every model whose full name, or whose end of it, has all words, in the order of the names.

    Args:
        words: `robustbench:` and a part of a name, or a glob, in any case; then further parts or globs.

    Raises:
        UsageError: No model matches.
    """
    from robustbench_eff.publishing.robustbench_numbers import published_numbers  # reads entries, which takes 0.1 s

    texts = [word.removeprefix(PREFIX).lower() for word in words]
    globs = [text if any(mark in text for mark in "*?[") else f"*{text}*" for text in texts]
    numbers = published_numbers()
    rows = [
        _row(entry, numbers[entry.alias])
        for entry in robustbench_entries().values()
        if all(fnmatch(entry.name.lower(), glob) or fnmatch(entry.short.lower(), glob) for glob in globs)
    ]
    if not rows:
        known = [entry.short for entry in robustbench_entries().values()]
        asked = " ".join(words)
        raise UsageError(f"No model of RobustBench matches {asked!r}.", did_you_mean(texts[0], known))
    return rows


def _row(entry: RobustBenchEntry, numbers: PublishedNumbers) -> tuple[str, ...]:
    values = (numbers.clean, numbers.autoattack, numbers.best_known, numbers.corruptions)
    remarks = [
        "unreliable" if numbers.flags else "",
        "" if entry.weights else "no weights",
        "needs a GPU and a factory" if entry.weights and not entry.network else "",
        "needs robustbench" if entry.network == PACKAGE else "",
    ]
    cells = [NO_NUMBER if value is None else f"{100 * value:.2f}" for value in values]
    return entry.name, *cells, "; ".join(filter(None, (entry.label, *remarks)))
