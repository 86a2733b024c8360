"""Accuracy by class as scores: the mean over classes and the worst class, clean, under attack and under all attacks.

Source: Xu et al. 2021, arXiv:2010.06121; Benz et al. 2021, arXiv:2010.13365, for robust accuracy by class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from .build_score import score_of
from .by_class import (
    WorstClass,
    balanced_accuracy,
    balanced_accuracy_interval,
    worst_class_accuracy,
    worst_class_interval,
)
from .cell_groups import CellOutcomes
from .class_names import named, names_of_classes
from .score import Score
from .score_function import CellScores

Shares = npt.NDArray[np.float64]


def class_scores(item: CellOutcomes) -> list[Score]:
    """Return `balanced_accuracy` and `worst_class_accuracy` of a cell, for an attack their robust forms.

    The detail of the worst class names it with its number of samples; `n` is that of all classes, as is the interval.
    There is no score without samples.

    Args:
        item: A cell of clean images or of an attack, with its outcomes.
    """
    if not len(item):
        return []
    robust = "robust_" if item.cell.kind == "attack" else ""
    scores = [score_of(item, f"{name}_{robust}accuracy", None, (None, None)) for name in ("balanced", "worst_class")]
    return _measured(scores, item, item.right_shares)


def class_scores_of_union(score: Score, item: CellOutcomes, shares: Shares) -> list[Score]:
    """Return `balanced_robust_accuracy` and `worst_class_robust_accuracy` under several attacks together.

    Args:
        score: Robust accuracy under them.
        item: One of their cells, with its outcomes.
        shares: Fraction of right votes of each sample under its strongest attack, shape (n,).
    """
    names = ("balanced_robust_accuracy", "worst_class_robust_accuracy")
    return _measured([replace(score, metric=name) for name in names], item, shares)


def _measured(scores: Sequence[Score], item: CellOutcomes, shares: Shares) -> list[Score]:
    """The scores of the mean over classes and of the worst class, with their values."""
    labels = item.column("label")
    worst = worst_class_accuracy(labels, shares)
    low, high = balanced_accuracy_interval(labels, shares)
    balanced = replace(scores[0], value=balanced_accuracy(labels, shares), low=low, high=high)
    low, high = worst_class_interval(labels, shares)
    detail = _detail(worst, item)
    return [balanced, replace(scores[1], value=worst.accuracy, low=low, high=high, detail=detail)]


def _detail(worst: WorstClass, item: CellOutcomes) -> str:
    """The worst class with its number of samples, and how many others are as low."""
    if worst.tied and worst.tied + 1 == worst.classes:
        return f"all {worst.classes} classes"
    others = f" and {worst.tied} more" if worst.tied else ""
    return f"{named(worst.label, names_of_classes(item.cell))}{others}, n = {worst.n}"


BY_CLASS = CellScores(compute=class_scores, kinds=("clean", "attack"))
