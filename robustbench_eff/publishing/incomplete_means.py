"""What is missing for means over a set of corruptions or sequences of which entries hold only a part."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from robustbench_eff.core.protocol import Protocol
from robustbench_eff.leaderboards.columns import Layout, layout, presets
from robustbench_eff.leaderboards.entry import Entry, Result
from robustbench_eff.scores.incomplete_means import IncompleteSet, incomplete_sets, sentence


def incomplete_means(entries: Iterable[Entry], wanted: Layout) -> list[str]:
    """Return a sentence for every incomplete set of corruptions or sequences of which columns would show a mean.

    Args:
        entries: One entry per model, of which the measured results count.
        wanted: The columns.
    """
    models: dict[IncompleteSet, list[str]] = {}
    for entry in entries:
        for incomplete in incomplete_sets(entry.measured):
            models.setdefault(incomplete, []).append(entry.model)
    return [
        f"{sentence(incomplete, names)}; --columns {incomplete.kind}s shows those that are there."
        for incomplete, names in models.items()
        if _shows_means(wanted, incomplete)
    ]


def columns_with_results(entries: Sequence[Entry]) -> list[str]:
    """Return the names of the shipped columns that some result belongs to.

    Args:
        entries: One entry per model.
    """
    results = {(kind, result) for entry in entries for kind, result in entry.results()}
    return [
        name
        for name in presets()
        if any(pattern.matches(kind, result) for pattern in layout(name).columns for kind, result in results)
    ]


def _shows_means(wanted: Layout, incomplete: IncompleteSet) -> bool:
    """Return whether one of the columns would show a mean over the set."""
    means = [
        Result(
            benchmark=incomplete.benchmark,
            perturbation=incomplete.set_name,
            metric=metric,
            value=None,
            protocol=Protocol(),
        )
        for metric in incomplete.means
    ]
    return any(pattern.matches("measured", result) for pattern in wanted.columns for result in means)
