"""What a benchmark is, and how its labels are named."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from robustbench_eff.errors import DataError, did_you_mean

RawLabel = int | str


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledImages:
    """An opened source: `read(i)` gives the encoded bytes of image i, or uint8 (H, W, 3) pixels."""

    origin: str
    """Path or hub id, for messages."""
    ids: list[str]
    labels: list[RawLabel]
    """An index, a wnid or a class name, as found."""
    read: Callable[[int], bytes | npt.NDArray[np.uint8]]
    stamp: str
    """Changes whenever the files do; cheap to compute (names, sizes, times)."""

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """A named, labelled image set; all rows but `custom` know their classes."""

    name: str
    title: str
    label_space: str
    split: str
    licence: str
    where: str
    """Where a user can get it."""
    num_classes: int | None
    class_index: Callable[[], Mapping[str, int]] = dict
    """Class names and wnids to indices; ambiguous names are left out."""
    embedded: Callable[[], LabelledImages] | None = None
    """Opens the copy that is installed with the package, if there is one."""


def resolve_labels(benchmark: Benchmark, opened: LabelledImages) -> tuple[npt.NDArray[np.int64], int, bool]:
    """Indices of all labels, the number of classes, and whether that number is more than a lower bound.

    Where the benchmark does not know its classes, names that are all numbers are indices; other names are
    numbered in sorted order. Raises DataError for a name or an index outside the label space.
    """
    names = {label for label in opened.labels if isinstance(label, str)}
    numeric = all(name.lstrip("-").isdigit() for name in names)
    if numeric:
        indices = [int(label) for label in opened.labels]
        classes = benchmark.num_classes or max(indices) + 1
    else:
        known = dict(benchmark.class_index()) or {name: index for index, name in enumerate(sorted(names))}
        indices = [_index(label, known, benchmark, opened) for label in opened.labels]
        classes = benchmark.num_classes or len(known)
    for position, index in enumerate(indices):
        if not 0 <= index < classes:
            one_based = min(indices) == 1 and max(indices) == classes
            raise DataError(
                f"{opened.origin}: {opened.ids[position]} has label {index}; {benchmark.name} has 0 to {classes - 1}.",
                "The labels seem to count from 1: subtract 1." if one_based else "Is this the right split?",
            )
    return np.asarray(indices, dtype=np.int64), classes, not (numeric and benchmark.num_classes is None)


def _index(label: RawLabel, known: Mapping[str, int], benchmark: Benchmark, opened: LabelledImages) -> int:
    if isinstance(label, int):
        return label
    if label in known:
        return known[label]
    raise DataError(
        f"{opened.origin}: {label!r} is no class of {benchmark.name}.",
        did_you_mean(label, known) or "Use an index, a wnid or a class name.",
    )


def unambiguous(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    """A mapping without the names that stand for more than one class."""
    found: dict[str, int] = {}
    twice: set[str] = set()
    for name, index in pairs:
        if found.setdefault(name, index) != index:
            twice.add(name)
    return {name: index for name, index in found.items() if name not in twice}
