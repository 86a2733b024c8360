"""What a benchmark is, and how its labels are named."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from robustbench_eff.class_map import ClassMap
from robustbench_eff.errors import DataError, did_you_mean
from robustbench_eff.preprocessing import Geometry

if TYPE_CHECKING:
    from .layouts import Layout

_WHOLE = re.compile(r"[+-]?[0-9]+(\.0+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledImages:
    """An opened source: `read(i)` gives the encoded bytes of image i, or uint8 (H, W, 3) pixels."""

    origin: str
    """Path or hub id, for messages."""
    ids: list[str]
    labels: Sequence[Any]
    """Indices, wnids or class names, as found."""
    read: Callable[[int], bytes | npt.NDArray[np.uint8]]
    stamp: str
    """Changes whenever the files do; cheap to compute (places, sizes, times)."""
    split: str = "local files"
    """What a reader is told was opened: a split where one was chosen."""
    textures: Sequence[Any] | None = None
    """Of cue-conflict images the class of each texture, as found; `labels` are then those of the shapes."""
    left_out: int = 0
    """Images of the source that are none of the benchmark's."""

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """A named, labelled image set; all rows but `custom` know their classes."""

    name: str
    title: str
    label_space: str
    licence: str
    where: str
    """Where a user can get it."""
    size: str
    """How many images there are, and how much is to be downloaded."""
    num_classes: int | None
    split: str = "test"
    """Which of several splits is meant."""
    class_index: Callable[[], Mapping[str, int]] = dict
    """Class names and wnids to indices; ambiguous names are left out."""
    embedded: Callable[..., LabelledImages] | None = None
    """Opens the copy that is installed with the package, if there is one: its test split, or the one that is named."""
    images_of: str | None = None
    """The benchmark whose images these are too, before something is done to them."""
    conflict_by: str | None = None
    """The styliser that gives each of those images the texture of an image of another class, as spec text."""
    class_map: Callable[[], ClassMap] | None = None
    """What its classes are made of, where they are not the outputs of a model of its label space."""
    keep: Callable[[LabelledImages], LabelledImages] | None = None
    """Leaves out what an opened source holds beside its images, and adds what their names say."""
    border: int = 0
    """Pixels of its images that are cut off on every side before anything else."""
    geometry: Geometry | None = None
    """The images are this first, whatever the model's own geometry."""
    layout: Layout | None = None
    """How the files of each corruption or sequence lie, where others have published them; `images_of` is then only
    the clean set, and nobody needs it."""
    jpeg_quality: int | None = None
    """Corrupted images become files of that quality, as the published ones are."""

    @property
    def made_from(self) -> str | None:
        """The benchmark whose images are enough to have these; of a published set only the clean ones are."""
        return None if self.layout is not None else self.images_of


def chosen(opened: LabelledImages, rows: Sequence[int], labels: Sequence[Any]) -> LabelledImages:
    """The images at `rows` of a source, with these labels; DataError where there are none."""
    if not rows:
        raise DataError(f"{opened.origin} holds no images of these classes.", "Is it the right place?")
    return replace(
        opened,
        ids=[opened.ids[row] for row in rows],
        labels=labels,
        textures=None if opened.textures is None else [opened.textures[row] for row in rows],
        read=lambda position: opened.read(rows[position]),
        left_out=len(opened) - len(rows),
    )


@dataclass(frozen=True, slots=True)
class Resolved:
    """The labels of a source as indices of classes."""

    labels: npt.NDArray[np.int64]
    textures: npt.NDArray[np.int64] | None
    """Of cue-conflict images."""
    num_classes: int
    all_known: bool
    """Whether that number is more than a lower bound."""


def resolve_labels(benchmark: Benchmark, opened: LabelledImages) -> Resolved:
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
    return Resolved(found[: len(opened)], textures, classes, not (numeric and benchmark.num_classes is None))


def plain_labels(opened: LabelledImages) -> list[int | str]:
    """All labels, then all textures, as whole numbers or names; DataError for what is neither."""
    labels = [*opened.labels, *(opened.textures or ())]
    return [_plain(label, opened, position % len(opened)) for position, label in enumerate(labels)]


def _plain(label: Any, opened: LabelledImages, position: int) -> int | str:
    """A whole number however it is written, or a name."""
    if isinstance(label, bytes):
        label = label.decode(errors="replace")
    if isinstance(label, str):
        text = label.strip()
        return int(text.partition(".")[0]) if _WHOLE.fullmatch(text) else text
    if isinstance(label, (int, np.integer)) and not isinstance(label, bool):
        return int(label)
    if isinstance(label, (float, np.floating)) and float(label).is_integer():
        return int(label)
    raise DataError(f"{opened.origin}: {opened.ids[position]} has the label {label!r}, no class index or name.")


def _index(label: str, known: Mapping[str, int], benchmark: Benchmark, opened: LabelledImages) -> int:
    if label in known:
        return known[label]
    raise DataError(
        f"{opened.origin}: {label!r} is no class of {benchmark.name}.",
        did_you_mean(label, known) or "Use an index, a wnid or a class name.",
    )


def file_stamp(path: Path) -> str:
    """Place, size and times of a file: another file at the same place has another stamp."""
    stat = path.stat()
    return f"{path.resolve()} {stat.st_ino} {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}"


def unambiguous(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    """A mapping without the names that stand for more than one class."""
    found: dict[str, int] = {}
    twice: set[str] = set()
    for name, index in pairs:
        if found.setdefault(name, index) != index:
            twice.add(name)
    return {name: index for name, index in found.items() if name not in twice}
