"""Every class of every cell: its accuracy clean and perturbed, and the confusion of classes, as rows of two tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from robustbench_eff.core.statistics import proportion_interval
from robustbench_eff.storage.store import Store

from .build_score import cell_flags, score_of
from .cell_groups import CellKind, CellOutcomes, cells_with_unique_names, columns_of, kind_of
from .class_names import names_of_classes
from .score import Score
from .worst_case import Union, score_of_union, unions

KINDS: tuple[CellKind, ...] = ("clean", "cue conflict", "corruption", "attack", "smoothed attack")
"""Kinds of cells with one prediction per sample."""
NO_CLASS = -1
"""The prediction of a smoothed classifier that abstains, and a clean prediction that is unknown."""
Values: TypeAlias = dict[str, str | int | float | None]
"""Values of a row by the names of their columns."""


class ClassTables(NamedTuple):
    """Rows of the two tables."""

    by_class: list[Values]
    confusion: list[Values]


def class_tables(store: Store) -> ClassTables:
    """Return a row for every class of every cell, and one for every true and predicted class that occur together.

    `right` counts the samples that are classified correctly, under attack both clean and attacked; of several votes it
    is the sum of the fractions of right votes, and the prediction is the most frequent one. `accuracy` is their share
    of the class, with the exact 95 % interval of this class alone. `right_clean` is None where no clean prediction is
    known. The worst case over the attacks in a ball has no prediction of its own, so it is in `by_class` alone, without
    a wrong class. There are no rows of searches for the closest image, certificates, sequences, and cells without
    samples; of unfinished cells the rows count what is stored, and `flags` says how much that is.

    Args:
        store: The store.
    """
    tables = ClassTables([], [])
    attacks = []
    for cell in cells_with_unique_names(store).values():
        kind = kind_of(cell)
        if kind in KINDS or kind == "minimum norm":
            item = CellOutcomes(cell, store.outcomes(cell.id, columns_of(cell, ("prediction",))))
            if kind in KINDS and len(item):
                tables.by_class.extend(_of_cell(item))
                tables.confusion.extend(_confusion(item))
            if kind in ("attack", "minimum norm"):
                attacks.append(item)
    for union in unions(attacks):
        tables.by_class.extend(_of_union(union))
    return tables


def _of_cell(item: CellOutcomes) -> Iterator[Values]:
    labels, predictions, clean = (item.column(name) for name in ("label", "prediction", "clean_prediction"))
    names = names_of_classes(item.cell)
    for row in accuracies_by_class(score_of(item, "", None, (None, None)), item, item.right_shares):
        of_class = labels == row["class"]
        known = bool((clean[of_class] != NO_CLASS).any())
        wrong, counts = np.unique(predictions[of_class & (predictions != labels)], return_counts=True)
        worst = int(wrong[counts.argmax()]) if len(wrong) else None
        yield row | {
            "right_clean": int((clean[of_class] == labels[of_class]).sum()) if known else None,
            "most_frequent_wrong": worst,
            "wrong_name": "" if worst is None else _name(worst, names),
            "wrong_count": int(counts.max()) if len(wrong) else 0,
        }


def _of_union(union: Union) -> Iterator[Values]:
    first = union.attacks[0]
    labels, clean = first.column("label"), first.column("clean_prediction")
    flags = dict.fromkeys(flag for item in union.attacks for flag in cell_flags(item))
    for row in accuracies_by_class(score_of_union(union, (*union.left_out, *flags)), first, union.shares):
        of_class = labels == row["class"]
        right_clean = int((clean[of_class] == labels[of_class]).sum())
        yield row | {"right_clean": right_clean, "most_frequent_wrong": None, "wrong_name": "", "wrong_count": None}


def accuracies_by_class(score: Score, item: CellOutcomes, shares: npt.NDArray[np.float64]) -> Iterator[Values]:
    """Yield a row for every class that has samples, with its accuracy and the exact 95 % interval of this class alone.

    Args:
        score: Says of which model the rows are, on what, and under which perturbation.
        item: A cell of these samples, which gives their labels.
        shares: Fraction of right votes of each sample, in [0, 1], shape (n,).
    """
    labels, names = item.column("label"), names_of_classes(item.cell)
    classes, index, n = np.unique(labels, return_inverse=True, return_counts=True)
    right = np.bincount(index, weights=shares, minlength=len(classes))
    for label, successes, count in zip(classes.tolist(), right.tolist(), n.tolist(), strict=True):
        low, high = proportion_interval(min(successes, count), count)
        yield _subject(score) | {
            "class": label,
            "name": _name(label, names),
            "n": count,
            "right": successes if item.has_votes or item.cell.orders > 1 else round(successes),
            "accuracy": successes / count,
            "low": low,
            "high": high,
        }


def _confusion(item: CellOutcomes) -> Iterator[Values]:
    names = names_of_classes(item.cell)
    subject = _subject(score_of(item, "", None, (None, None)))
    answers = np.stack([item.column("label"), item.column("prediction")])
    pairs, counts = np.unique(answers, axis=1, return_counts=True)
    for label, prediction, count in zip(*pairs.tolist(), counts.tolist(), strict=True):
        yield subject | {
            "class": label,
            "name": _name(label, names),
            "predicted": prediction,
            "predicted_name": _name(prediction, names),
            "count": count,
        }


def _subject(score: Score) -> Values:
    return {
        "model": score.model,
        "benchmark": score.benchmark,
        "perturbation": score.perturbation,
        "protocol": str(score.protocol),
        "flags": "; ".join(score.flags),
    }


def _name(index: int, names: Mapping[int, str]) -> str:
    """The name of a class; its index if it has none."""
    return "abstained" if index == NO_CLASS else names.get(index, str(index))
