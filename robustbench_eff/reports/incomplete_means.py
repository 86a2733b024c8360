"""Means that a run does not have, because a set of corruptions or sequences is not complete, as lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import Console

from robustbench_eff.scores.missing_means import Gap, gaps, sentence
from robustbench_eff.scores.score import Score


def incomplete_means(scores: Iterable[Score]) -> Iterator[tuple[str, Gap]]:
    """Yield the name of a model and a set that is not complete, for every such set.

    Args:
        scores: Scores of any models.
    """
    of_models: dict[str, list[Score]] = {}
    for score in scores:
        of_models.setdefault(score.model, []).append(score)
    for model, group in of_models.items():
        for gap in gaps(group):
            yield model, gap


def incomplete_lines(scores: Iterable[Score], console: Console) -> None:
    """Print one line for every set of corruptions or sequences that was begun and is not complete.

    Args:
        scores: Scores of any models.
        console: Where to print.
    """
    models: dict[Gap, list[str]] = {}
    for model, gap in incomplete_means(scores):
        models.setdefault(gap, []).append(model)
    for gap, names in models.items():
        console.print(f"{sentence(gap, names)}.", markup=False, highlight=False, soft_wrap=True)
