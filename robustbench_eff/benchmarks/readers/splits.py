"""Which split of a source is opened."""

from __future__ import annotations

import re
from collections.abc import Iterable

from robustbench_eff.core.errors import DataError

from .class_folders import FALLBACK, SPLITS

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


def pick_split(split: str, available: Iterable[str], origin: str) -> str:
    """Return the benchmark's own split, else one that nobody trained on either, else the only one.

    Args:
        split: The benchmark's own split.
        available: Splits that the source has.
        origin: The source, for the message.

    Raises:
        DataError: The source has several splits, and none of them fits.
    """
    names = sorted(set(available))
    for wanted in (split, FALLBACK.get(split)):
        if wanted in names:
            return wanted
    if len(names) == 1:
        return names[0]
    shown = ", ".join(name or "one without a name" for name in names)
    raise DataError(f"{origin} has the splits {shown}, not {split!r}.", "Pass the files of one split.")
