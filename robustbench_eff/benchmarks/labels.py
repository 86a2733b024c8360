"""From labels as a source has them to class indices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from robustbench_eff.core.errors import DataError, did_you_mean

from .benchmark import Benchmark
from .class_names import known_names
from .class_order import in_class_order
from .labelled_images import LabelledImages, plain_labels


@dataclass(frozen=True, slots=True)
class ResolvedLabels:
    """The labels of a source as class indices."""

    labels: npt.NDArray[np.int64]
    """Class index of every image; int64 (N,)."""
    textures: npt.NDArray[np.int64] | None
    """Class index of every texture of cue-conflict images, int64 (N,); else None."""
    num_classes: int
    """Number of classes of the benchmark."""
    all_known: bool
    """False if `num_classes` is only a lower bound, because it was derived from numeric labels."""
    class_names: tuple[str, ...] = ()
    """Name of every class, where the images or the model decided the order; else empty."""
    class_order: str = ""
    """Where the numbers of the classes come from, for the protocol; empty where the benchmark numbers them."""


def resolve_labels(benchmark: Benchmark, opened: LabelledImages) -> ResolvedLabels:
    """Return the class index of every label.

    Whole numbers are indices. Where the benchmark does not know its classes, names are numbered as the source states,
    else in sorted order.

    Args:
        benchmark: The benchmark, which knows its classes by name.
        opened: The images with their labels.

    Raises:
        DataError: There are no images, or a label is neither a number nor a name of the benchmark, or lies outside
            its classes; the message names the image.
    """
    if not len(opened):
        raise DataError(f"{opened.origin} holds no images.")
    labels = plain_labels(opened)
    if -1 in labels:
        position = labels.index(-1) % len(opened)
        raise DataError(
            f"{opened.origin}: {opened.ids[position]} has the label -1, which marks an image without a label.",
            "Pass the images of a split that has labels.",
        )
    index_of = dict(benchmark.class_index())
    numeric = all(isinstance(label, int) for label in labels)
    if not index_of and not numeric and benchmark.num_classes is not None:
        name = next(label for label in labels if isinstance(label, str))
        raise DataError(
            f"{opened.origin} has the class {name!r}; the classes of {benchmark.name} are known by their numbers only.",
            "Label the images by these numbers, or pass them as images of your own, such as --data mine=PATH.",
        )
    if benchmark.num_classes is None and (opened.class_names or not numeric):
        return _in_own_order(with_class_names(opened))
    known = known_names({label for label in labels if isinstance(label, str)}, index_of, opened.class_names)
    indices = [
        index_of.get(str(label), label) if isinstance(label, int) else _index(label, known, index_of, benchmark, opened)
        for label in labels
    ]
    num_classes = benchmark.num_classes or max(indices) + 1
    for position, index in enumerate(indices):
        if not 0 <= index < num_classes:
            one_based = min(indices) >= 1 and max(indices) == num_classes
            raise DataError(
                f"{opened.origin}: {opened.ids[position % len(opened)]} has label {index}; "
                f"{benchmark.name} has 0 to {num_classes - 1}.",
                benchmark.labels_from_one if one_based else "Check that this is the right split.",
            )
    resolved = np.asarray(indices, dtype=np.int64)
    is_own = benchmark.num_classes is None
    return ResolvedLabels(
        labels=resolved[: len(opened)],
        textures=None if opened.textures is None else resolved[len(opened) :],
        num_classes=num_classes,
        all_known=not is_own,
        class_names=benchmark.class_names,
        class_order=(opened.class_order or "labels as numbers") if is_own else benchmark.class_order,
    )


def with_class_names(opened: LabelledImages) -> LabelledImages:
    """Return the user's own images with the names of their classes in order: that of the source, else sorted.

    Args:
        opened: The images. Where all labels are numbers, they stay as they are.
    """
    if opened.class_names or all(isinstance(label, int) for label in plain_labels(opened)):
        return opened
    return replace(in_class_order(opened, "sorted"), class_order="class names in sorted order", order_is_stated=False)


def _in_own_order(opened: LabelledImages) -> ResolvedLabels:
    """Return the class indices by the source's own order of its classes."""
    names = opened.class_names
    index_of = {name: index for index, name in enumerate(names)}
    indices = []
    for position, label in enumerate([*opened.labels, *(opened.textures or ())]):
        index = index_of.get(label.strip(), -1) if isinstance(label, str) else label
        if not (isinstance(index, (int, np.integer)) and 0 <= index < len(names)):
            raise DataError(
                f"{opened.origin}: {opened.ids[position % len(opened)]} has the label {label!r}, "
                f"which is not one of its {len(names)} classes.",
                did_you_mean(str(label), names),
            )
        indices.append(index)
    resolved = np.asarray(indices, dtype=np.int64)
    return ResolvedLabels(
        labels=resolved[: len(opened)],
        textures=None if opened.textures is None else resolved[len(opened) :],
        num_classes=len(names),
        all_known=True,
        class_names=names,
        class_order=opened.class_order,
    )


def _index(
    label: str, known: Mapping[str, int], index_of: Mapping[str, int], benchmark: Benchmark, opened: LabelledImages
) -> int:
    if label in known:
        return known[label]
    raise DataError(
        f"{opened.origin}: {label!r} is not a class of {benchmark.name}.",
        did_you_mean(label, index_of) or "Use an index, a wnid or a class name.",
    )
