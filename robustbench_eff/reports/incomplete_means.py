"""Means that a run does not have, because a set of corruptions or sequences is not complete, as lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import Console

from robustbench_eff.scores.incomplete_means import IncompleteSet, incomplete_sets, sentence
from robustbench_eff.scores.score import Score

from .prose import print_prose


def incomplete_means(scores: Iterable[Score]) -> Iterator[tuple[str, IncompleteSet]]:
    """Yield the name of a model and a set that is not complete, for every such set.

    Args:
        scores: Scores of any models.
    """
    of_models: dict[str, list[Score]] = {}
    for score in scores:
        of_models.setdefault(score.model, []).append(score)
    for model, group in of_models.items():
        for incomplete in incomplete_sets(group):
            yield model, incomplete


def incomplete_lines(scores: Iterable[Score], console: Console) -> None:
    """Print one line for every set of corruptions or sequences that was begun and is not complete.

    Args:
        scores: Scores of any models.
        console: Where to print.
    """
    models: dict[IncompleteSet, list[str]] = {}
    for model, incomplete in incomplete_means(scores):
        models.setdefault(incomplete, []).append(model)
    for incomplete, names in models.items():
        print_prose(f"{sentence(incomplete, names)}.", console)
