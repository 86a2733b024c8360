"""Every class of every cell: its accuracy clean and perturbed, and the confusion of classes, as rows for CSV files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from robustbench_eff.core.statistics import proportion_interval
from robustbench_eff.storage.store import Store

from .build_score import flags_of, protocol_over
from .cell_groups import CellKind, CellOutcomes, cells_with_unique_names, columns_of, kind_of
from .class_names import names_of_classes
from .worst_case import unions

KINDS: tuple[CellKind, ...] = ("clean", "cue conflict", "corruption", "attack", "smoothed attack")
"""Kinds of cells with one prediction per sample."""
NO_CLASS = -1
"""The prediction of a smoothed classifier that abstains, and a clean prediction that is unknown."""
Classes: TypeAlias = npt.NDArray[np.int64]
Values: TypeAlias = dict[str, str | int | float | None]


class ClassTables(NamedTuple):
    """Rows of the two files, each with its column names as keys."""

    by_class: list[Values]
    confusion: list[Values]


def class_tables(store: Store) -> ClassTables:
    """Return a row for every class of every cell, and one for every true and predicted class that occur together.

    `right` counts samples that are classified correctly, of several votes the sum of the fractions of right votes, and
    under attack those that are classified correctly both clean and attacked; `accuracy` is their share with its exact
    95 % interval, for this class alone. `right_clean` is empty where no clean prediction is known. Of several votes
    the prediction is the most frequent one. The worst case over the attacks in a ball has no prediction of its own: it
    is in `by_class` alone, without a wrong class. Searches for the closest image, certificates and sequences have no
    rows.

    Args:
        store: The store; classes of unfinished cells count what is stored, and `flags` says how much that is.
    """
    cells = cells_with_unique_names(store).values()
    read = [
        CellOutcomes(cell, store.outcomes(cell.id, columns_of(cell, ("prediction",))))
        for cell in cells
        if kind_of(cell) in (*KINDS, "minimum norm")
    ]
    items = [item for item in read if item.kind != "minimum norm" and len(item)]
    by_class = [row for item in items for row in _of_cell(item)]
    by_class += [row for union in unions([item for item in read if item.cell.kind == "attack"]) for row in _of_union(union)]
    return ClassTables(by_class, [row for item in items for row in _confusion(item)])


def _of_cell(item: CellOutcomes) -> Iterator[Values]:
    labels, predictions = item.column("label"), item.column("prediction")
    names, shares, clean = names_of_classes(item.cell), item.right_shares, item.column("clean_prediction")
    for index in np.unique(labels).tolist():
        of_class = labels == index
        wrong, counts = np.unique(predictions[of_class & (predictions != index)], return_counts=True)
        worst = int(counts.argmax()) if len(wrong) else None
        yield _row(item, index, shares[of_class]) | {
            "right_clean": int((clean[of_class] == index).sum()) if (clean[of_class] != NO_CLASS).any() else None,
            "most_frequent_wrong": None if worst is None else int(wrong[worst]),
            "wrong_name": "" if worst is None else _name(int(wrong[worst]), names),
            "wrong_count": 0 if worst is None else int(counts[worst]),
        }


def _confusion(item: CellOutcomes) -> Iterator[Values]:
    labels, predictions = item.column("label"), item.column("prediction")
    names = names_of_classes(item.cell)
    pairs, counts = np.unique(np.stack([labels, predictions]), axis=1, return_counts=True)
    for label, prediction, count in zip(*pairs.tolist(), counts.tolist(), strict=True):
        yield _subject(item) | {
            "class": label,
            "name": _name(label, names),
            "predicted": prediction,
            "predicted_name": _name(prediction, names),
            "count": count,
        }
