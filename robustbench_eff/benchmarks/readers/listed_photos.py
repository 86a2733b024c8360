"""Reader of sets with one folder of all photos and lists of those for testing: Food-101, Oxford-IIIT Pet, Flowers-102.

Source: the authors' archives; numbers of the classes as in torchvision.datasets (Food101, OxfordIIITPet, Flowers102).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from robustbench_eff.core.errors import DataError
from robustbench_eff.core.outside_files import read_text

from ..labelled_images import LabelledImages, file_stamp
from ..reader import DocumentedLayout, Reader
from .image_files import from_paths
from .matlab_files import read_matlab
from .placeholder import refuse_placeholder

_PET = re.compile(r"\S+\s+[1-9]\d*\s+\d+\s+\d+")
"""A line of Oxford-IIIT Pet's lists."""


class _Listed(NamedTuple):
    """A list of photos."""

    names: list[str]
    """Paths below the folder of the set."""
    labels: list[str | int]
    """Class of each, as a name or a number."""
    class_names: tuple[str, ...]
    """Names of the classes in order; empty where the labels are numbers."""
    class_order: str = "numbers of the dataset, minus 1"
    """Where the order comes from, for the protocol."""


class _Set(NamedTuple):
    """How a set lies on disk."""

    title: str
    """Name for the protocol."""
    lists: dict[str, tuple[str, ...]]
    """The files that a list is read from, by split, below the folder of the set."""
    photos: str
    """Folder of the photos."""
    listed: Callable[[Path, str], _Listed]
    """Read the list of a split: `listed(folder, split)`."""


def _food(folder: Path, split: str) -> _Listed:
    """Lines such as `apple_pie/1011328`; all classes in the order of `classes.txt`, else those listed, sorted."""
    lines = read_text(folder / "meta" / f"{split}.txt").split()
    labels = [line.partition("/")[0] for line in lines]
    file = folder / "meta" / "classes.txt"
    classes = tuple(read_text(file).split()) if file.is_file() else tuple(sorted(set(labels)))
    if unknown := sorted(set(labels) - set(classes)):
        raise DataError(f"{file} lacks {unknown[0]}, a class of {split}.txt.", "Take both from the same archive.")
    if len(set(classes)) < len(classes):
        raise DataError(f"{file} names a class twice.", "Keep one line for each class.")
    order = "class names in sorted order" if list(classes) == sorted(set(classes)) else "order of meta/classes.txt"
    return _Listed([f"images/{line}.jpg" for line in lines], [*labels], classes, order)


def _pets(folder: Path, split: str) -> _Listed:
    """Lines such as `Abyssinian_201 1 1 1`: a photo, its breed counted from 1, the species, the breed within that."""
    name = "trainval.txt" if split == "train" else "test.txt"
    lines = read_text(folder / "annotations" / name).splitlines()
    if wrong := [line for line in lines if line.strip() and not _PET.fullmatch(line.strip())]:
        raise DataError(
            f"{folder / 'annotations' / name} has the line {wrong[0]!r}; Oxford-IIIT Pet's have a photo and three "
            "numbers: the breed, the species and the breed within that.",
            "Label photos of your own by a `labels.csv` with the columns filename and label.",
        )
    rows = [line.split() for line in lines if line.strip()]
    breed_of = {int(number) - 1: photo.rpartition("_")[0] for photo, number, *_ in rows}
    names = tuple(breed_of[number] for number in sorted(breed_of))
    is_complete = sorted(breed_of) == list(range(len(names))) and len(set(names)) == len(names)
    labels: list[str | int] = [breed_of[int(row[1]) - 1] if is_complete else int(row[1]) - 1 for row in rows]
    return _Listed([f"images/{row[0]}.jpg" for row in rows], labels, names if is_complete else ())


def _flowers(folder: Path, split: str) -> _Listed:
    """MATLAB files with the class of every photo, counted from 1, and the numbers of the photos of each split."""
    numbers = _numbers(folder / "setid.mat", "trnid" if split == "train" else "tstid")
    classes = _numbers(folder / "imagelabels.mat", "labels")
    if not all(1 <= number <= len(classes) for number in numbers):
        raise DataError(
            f"{folder} lists photos in setid.mat without a class in imagelabels.mat.", "Download both again."
        )
    photos = [f"jpg/image_{number:05d}.jpg" for number in numbers]
    return _Listed(photos, [classes[number - 1] - 1 for number in numbers], ())


def _numbers(path: Path, name: str) -> list[int]:
    """The whole numbers of a variable of a MATLAB file."""
    values = read_matlab(path).get(name)
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "iuf" or (values != np.round(values)).any():
        raise DataError(f"{path} does not hold the whole numbers {name}.", "Download it again.")
    return [int(value) for value in values.ravel()]


_SETS = (
    _Set("Food-101", {"train": ("meta/train.txt",), "test": ("meta/test.txt",)}, "images", _food),
    _Set(
        "Oxford-IIIT Pet",
        {"train": ("annotations/trainval.txt",), "test": ("annotations/test.txt",)},
        "images",
        _pets,
    ),
    _Set("Flowers-102", dict.fromkeys(("train", "test"), ("imagelabels.mat", "setid.mat")), "jpg", _flowers),
)


def _find(path: Path) -> _Set | None:
    """The set whose photos and list a folder holds."""
    for each in _SETS:
        if (path / each.photos).is_dir() and (path / each.lists["test"][0]).is_file():
            return each
    return None


def _open(path: Path, split: str) -> LabelledImages:
    found = _find(path)
    assert found is not None, f"{path} is not understood"
    opened_split = "train" if split == "train" else "test"
    files = [path / name for name in found.lists[opened_split]]
    for file in files:
        if not file.is_file():
            raise DataError(f"{path} lacks {file.relative_to(path)}.", "Download it, too.")
        refuse_placeholder(file)
    listed = found.listed(path, opened_split)
    paths = [path / name for name in listed.names]
    if missing := [name for name, file in zip(listed.names, paths, strict=True) if not file.is_file()]:
        raise DataError(f"{path} lacks {missing[0]}, one of {len(missing)} photos.", "Unpack the whole archive.")
    opened = from_paths(path, paths, [])
    return replace(
        opened,
        labels=listed.labels,
        stamp="\n".join([opened.stamp, *map(file_stamp, files)]),
        split=f"{opened_split} of {found.title}",
        class_names=listed.class_names,
        class_order=listed.class_order,
    )


LISTED_PHOTOS = Reader(
    understands=lambda path: path.is_dir() and _find(path) is not None,
    open=_open,
    layouts=(
        DocumentedLayout(
            files="`food-101`, `oxford-iiit-pet`, `flowers-102` as unpacked by torchvision",
            labels="`meta/test.txt`; `annotations/test.txt`; `imagelabels.mat` and `setid.mat`",
            class_order="`meta/classes.txt`, else sorted names; numbers in the files, minus 1",
        ),
    ),
)
