"""An opened source of labelled images: listed, not decoded."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from robustbench_eff.core.errors import DataError
from robustbench_eff.core.shuffle import shuffled

SORTED_FOLDERS, NUMBERED_FOLDERS = "class folders in sorted order", "folder names as numbers"
"""Orders of the classes that a reader of class folders makes itself, and other programs in their own ways."""
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]+(\.0+)?")
_SHOWN = 200
"""Characters of a label that a message quotes."""
_LONGEST_NUMBER, _LARGEST = 100, 2**53
"""Characters of a label that is read as a number exactly, and the largest class index: floats beyond skip numbers."""


@dataclass(frozen=True, slots=True)
class IgnoredFiles:
    """Files of a source that were not read, for one reason."""

    reason: str
    """Why, as the end of a sentence such as "3 files were ignored: not an image (.txt)"."""
    count: int
    """Number of files."""
    example: str
    """One of them, below the folder of the source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledImages:
    """The images of a source with their labels, before anything is decoded."""

    origin: str
    """Path or hub id, for messages."""
    ids: list[str]
    """Unique id of every image, which seeds its random draws."""
    labels: Sequence[Any]
    """Class index, wnid or class name of every image, as the source has it."""
    read: Callable[[int], bytes | npt.NDArray[np.uint8]]
    """Return an image by position: its encoded bytes, or uint8 (H, W, 3) pixels. Called from several threads."""
    stamp: str
    """Text that changes whenever the files change, and is cheap to compute: paths, sizes and times."""
    split: str = "local files"
    """What was opened, as a reader of the results is told: the split where one was chosen."""
    textures: Sequence[Any] | None = None
    """Class of every texture of cue-conflict images, as the source has it, where `labels` are the classes of the
    shapes; else None."""
    left_out: int = 0
    """Number of images of the source that do not belong to the benchmark."""
    class_names: tuple[str, ...] = ()
    """Name of every class in the order of the source's own numbers, where it states one; else empty. The labels are
    then names among these, or, for images of the user's own, their positions as whole numbers. A class without images
    keeps its number."""
    outputs: tuple[tuple[int, ...], ...] = ()
    """The outputs of a model that stand for each of `class_names`, where the user said so; else empty."""
    class_order: str = ""
    """Where the numbers of the classes come from, for the protocol, such as `numbers of the dataset`; empty where the
    source says nothing."""
    order_is_stated: bool = False
    """True where the user stated the order of the classes."""
    ignored: tuple[IgnoredFiles, ...] = ()
    """Files of the source that were not read."""

    def __len__(self) -> int:
        return len(self.ids)


def select(opened: LabelledImages, rows: Sequence[int], labels: Sequence[Any]) -> LabelledImages:
    """Return some images of a source, with other labels.

    Args:
        opened: The source.
        rows: Positions of the images to keep, in their new order.
        labels: Label of each image that is kept.

    Raises:
        DataError: No image is kept.
    """
    if not rows:
        raise DataError(f"{opened.origin} holds no images of these classes.", "Check that the path is right.")
    return replace(
        opened,
        ids=[opened.ids[row] for row in rows],
        labels=labels,
        textures=None if opened.textures is None else [opened.textures[row] for row in rows],
        read=lambda position: opened.read(rows[position]),
        left_out=len(opened) - len(rows),
    )


def in_random_order(opened: LabelledImages) -> LabelledImages:
    """Return the same images in an order in which every beginning is a sample drawn at random, the same in every run.

    Args:
        opened: The source.
    """
    rows = [int(row) for row in shuffled(len(opened))]
    return replace(
        opened,
        ids=[opened.ids[row] for row in rows],
        labels=[opened.labels[row] for row in rows],
        textures=None if opened.textures is None else [opened.textures[row] for row in rows],
        read=lambda position: opened.read(rows[position]),
        split=f"{opened.split} in random order",
    )


def plain_labels(opened: LabelledImages) -> list[int | str]:
    """Return all labels, then all textures, as whole numbers or names.

    Args:
        opened: The source.

    Raises:
        DataError: A label is neither a whole number nor a name.
    """
    labels = [*opened.labels, *(opened.textures or ())]
    return [_plain(label, opened, position % len(opened)) for position, label in enumerate(labels)]


def _plain(label: Any, opened: LabelledImages, position: int) -> int | str:
    """Return a whole number, however it is written, or a name."""
    if isinstance(label, bytes):
        label = label.decode(errors="replace")
    if isinstance(label, str):
        name = label.strip()
        if not _WHOLE_NUMBER.fullmatch(name):
            return name
        label = int(name.partition(".")[0]) if len(name) <= _LONGEST_NUMBER else label
    is_int = isinstance(label, (int, np.integer)) and not isinstance(label, bool)
    is_whole = is_int or (isinstance(label, (float, np.floating)) and float(label).is_integer())
    if is_whole and abs(number := int(label)) <= _LARGEST:
        return number
    shown = repr(label)[:_SHOWN]
    raise DataError(
        f"{opened.origin}: {opened.ids[position]} has the label {shown}, which is not a class index or name."
    )


def file_stamp(path: Path) -> str:
    """Return the location, size and times of a file, so that a file that replaces it has another stamp.

    Args:
        path: An existing file.
    """
    stat = path.stat()
    return f"{path.resolve()} {stat.st_ino} {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}"
