"""From labels as found in files to class indices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from robustbench_eff.core.errors import DataError, did_you_mean

if TYPE_CHECKING:
    pass
from .benchmark import Benchmark
from .labelled_images import LabelledImages, plain_labels


@dataclass(frozen=True, slots=True)
class ResolvedLabels:
    """The labels of a source as indices of classes."""

    labels: npt.NDArray[np.int64]
    textures: npt.NDArray[np.int64] | None
    """Of cue-conflict images."""
    num_classes: int
    all_known: bool
    """Whether that number is more than a lower bound."""


def resolve_labels(benchmark: Benchmark, opened: LabelledImages) -> ResolvedLabels:
    """Indices of all labels.

    Whole numbers are indices. Where the benchmark does not know its classes, names are numbered in sorted
    order. Raises DataError for a label that is neither, or is outside the label space, naming its sample.
    """
    if not len(opened):
        raise DataError(f"{opened.origin} holds no images.")
    labels = plain_labels(opened)
    numeric = all(isinstance(label, int) for label in labels)
    known = dict(benchmark.class_index())
    if not known and not numeric:
        labels = [str(label) for label in labels]
        known = {name: index for index, name in enumerate(sorted(set(map(str, labels))))}
    indices = [label if isinstance(label, int) else _index(label, known, benchmark, opened) for label in labels]
    classes = benchmark.num_classes or (max(indices) + 1 if numeric else len(known))
    for position, index in enumerate(indices):
        if not 0 <= index < classes:
            one_based = min(indices) == 1 and max(indices) == classes
            raise DataError(
                f"{opened.origin}: {opened.ids[position % len(opened)]} has label {index}; "
                f"{benchmark.name} has 0 to {classes - 1}.",
                "The labels seem to count from 1: subtract 1." if one_based else "Is this the right split?",
            )
    found = np.asarray(indices, dtype=np.int64)
    textures = None if opened.textures is None else found[len(opened) :]
    return ResolvedLabels(found[: len(opened)], textures, classes, not (numeric and benchmark.num_classes is None))


def _index(label: str, known: Mapping[str, int], benchmark: Benchmark, opened: LabelledImages) -> int:
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
