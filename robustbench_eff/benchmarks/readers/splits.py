"""Which split of a source is opened.

One policy for all readers. The wanted split is opened where it is there; where test images are wanted, those of
validation stand in for them, and the reverse. Training images are opened where training images are wanted, and nothing
else is opened then. Where they are all that there is and others are wanted, they are refused, unless the user named
them: by `hf:ID@train`, or by the path of their own file or folder. A source that names no split is opened as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from robustbench_eff.core.errors import DataError

SPLITS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
"""Words for splits, as names of folders and in names of files, and the split that each means."""
FALLBACK = {"test": "validation", "validation": "test"}
"""The split that is opened where the wanted one is not there: one that nobody trained on."""
SPLIT_COLUMNS = ("split", "set", "subset")
"""Names of the column of a table that states the split of every row."""
_SPLIT_OF = {**SPLITS, "t10k": "test"}
"""Split by the word for it in the names of files and arrays; t10k is MNIST's."""


def words_of(name: str) -> list[str]:
    """Return the words of a name of a file or an array, in lower case.

    Args:
        name: The name, such as `cifar10.1_v6_data`.
    """
    return [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word]


def split_named(name: str) -> str:
    """Return the split that a name contains: train, validation or test; empty where it names none.

    Args:
        name: Name of a file, a folder or an array.
    """
    return next((_SPLIT_OF[word] for word in words_of(name) if word in _SPLIT_OF), "")


def without_split(name: str) -> str:
    """Return the other words of a name.

    Args:
        name: Name of a file, a folder or an array.
    """
    return " ".join(word for word in words_of(name) if word not in _SPLIT_OF)


def pick_split(split: str, available: Iterable[str], origin: str, choose: str = "Pass the files of one split.") -> str:
    """Return the split to open: the wanted one, else what may stand in for it, else the only one if it is unknown.

    Test and validation images stand in for one another. Nothing stands in for training images, and they stand in for
    nothing.

    Args:
        split: The wanted split, which is the benchmark's own, or `train` for a training.
        available: Names of the splits that the source has, as it writes them; empty for images without a split.
        origin: The source, for the message.
        choose: How the user names one of the splits, for the message.

    Raises:
        DataError: None of the splits, or more than one, is the one to open.
    """
    names = sorted(set(available))
    for wanted in (split, FALLBACK.get(split)):
        matching = [name for name in names if wanted and split_named(name) == wanted]
        chosen = [wanted] if wanted in names else matching
        if len(chosen) == 1:
            return chosen[0]
        if chosen:
            break
    if len(names) == 1 and not split_named(names[0]):
        return names[0]
    shown = ", ".join(name or "one without a name" for name in names)
    hint = "Pass training images." if split == "train" else choose
    if len(names) > 1:
        raise DataError(f"{origin} has the splits {shown}, not {split!r}.", hint)
    raise DataError(f"{origin} has only the split {shown!r}, where {split!r} is wanted.", hint)


def named_split(split: str, name: str, origin: str) -> str:
    """Return the split of a file that the user named, which may hold any split but is never trained on if it is a test.

    Args:
        split: The wanted split.
        name: Name of the file.
        origin: The file, for the message.

    Raises:
        DataError: Training images are wanted, and the file holds others.
    """
    found = split_named(name)
    if split == "train" and found in FALLBACK:
        raise DataError(f"{origin} holds {found} images, not those for training.", "Pass training images.")
    return found


class RowsOfSplit(NamedTuple):
    """The rows of a table that belong to the split to open."""

    rows: list[int]
    """Their positions."""
    text: str
    """Which they are, for the protocol."""


def split_column(columns: Iterable[str]) -> str | None:
    """Return the column that states the split of every row; None where there is none.

    Args:
        columns: Names of all columns.
    """
    by_name = {column.lower(): column for column in columns}
    return next((by_name[name] for name in SPLIT_COLUMNS if name in by_name), None)


def rows_of_split(split: str, column: str, values: Sequence[Any], origin: str) -> RowsOfSplit:
    """Return the rows of the split to open, by the policy of `pick_split`.

    Args:
        split: The wanted split.
        column: Name of the column that states the split of every row.
        values: The column.
        origin: The table, for messages.

    Raises:
        DataError: A value of the column is no word for a split, or `pick_split` refuses the splits.
    """
    words = [str(value).strip().lower() for value in values]
    if unknown := sorted({word for word in words if word not in SPLITS}):
        raise DataError(
            f"{origin}: the column {column!r} holds {unknown[0]!r}, which is not train, validation or test.",
            "Write these words, or rename the column if it states something else.",
        )
    splits = [SPLITS[word] for word in words]
    choose = f"To open all rows, remove the column {column!r}."
    picked = pick_split(split, splits, f"{origin}, column {column!r},", choose)
    rows = [row for row, found in enumerate(splits) if found == picked]
    return RowsOfSplit(rows, f"rows with {column} {picked}")
