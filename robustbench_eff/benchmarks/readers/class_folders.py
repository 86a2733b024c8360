"""Reader of a folder of class folders, named by class index, wnid or class name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from robustbench_eff.core.errors import DataError

from ..labelled_images import NUMBERED_FOLDERS, SORTED_FOLDERS, LabelledImages
from ..reader import DocumentedLayout, Reader
from .csv_folder import CSV_FOLDER
from .image_files import HIDDEN, SUFFIXES, find_images, from_paths, holds_images, summary
from .splits import SPLITS, pick_split

EMPTY_CLASS = "class folder without images, which keeps its number"
"""Reason for which a folder stands among the ignored files."""
NOT_IN_A_CLASS = "not in a class folder"
"""Reason to ignore an image beside the class folders."""
_Image = TypeVar("_Image")


class _SortKey(NamedTuple):
    """Sort key of class folders: numbers by value, before names in alphabetical order."""

    is_name: bool
    """False for a folder named by a number."""
    number: int
    """The number; 0 for a name."""
    name: str
    """Name of the folder."""


@dataclass(frozen=True, slots=True)
class DealtClasses(Generic[_Image]):
    """The images of class folders in the order in which they are listed, and the order of the classes."""

    images: list[_Image]
    """One per class in turn: the first of each class, then the second, ..."""
    names: tuple[str, ...]
    """Names of the classes in their order; empty where they are numbers."""
    order: str
    """Where the numbers of the classes come from."""
    empty: list[str]
    """Names of the classes without images."""


def deal(by_class: Mapping[str, Sequence[_Image]]) -> DealtClasses[_Image]:
    """Deal images one per class in turn, so that the first N images hold all classes equally.

    Args:
        by_class: The images of every class folder, which may be none.
    """
    classes = sorted(by_class, key=sort_key)
    turns = zip_longest(*(by_class[name] for name in classes))
    numbers = all(name.isdecimal() for name in classes)
    return DealtClasses(
        images=[image for turn in turns for image in turn if image is not None],
        names=() if numbers else tuple(sorted(classes)),
        order=NUMBERED_FOLDERS if numbers else SORTED_FOLDERS,
        empty=[name for name in classes if not by_class[name]],
    )


def open_class_folders(folder: Path, suffixes: frozenset[str] = SUFFIXES) -> LabelledImages:
    """List every file below each class folder, one per class in turn: the first of each class, then the second, ...

    Classes come in sorted order (numbers by value), so that the first N files hold all classes equally. Folders whose
    names are all numbers are indices; other names state the order of the classes, in which one without images keeps
    its place.

    Args:
        folder: The folder with the class folders.
        suffixes: Suffixes of the files to list, in lower case.

    Raises:
        DataError: No class folder holds such files.
    """
    found = find_images(folder, suffixes)
    ignored = list(found.ignored)
    by_class: dict[str, list[Path]] = {name: [] for name in _class_names(folder)}
    for path in found.images:
        name, *below = path.relative_to(folder).parts
        if below:
            by_class[name].append(path)
        else:
            ignored.append((NOT_IN_A_CLASS, path))
    dealt = deal(by_class)
    if not dealt.images:
        raise _without_images(folder, bool(by_class), found.ignored)
    ignored += [(EMPTY_CLASS, folder / name) for name in dealt.empty]
    opened = from_paths(folder, dealt.images, [path.relative_to(folder).parts[0] for path in dealt.images])
    return replace(opened, class_names=dealt.names, class_order=dealt.order, ignored=summary(ignored, folder))


def _without_images(folder: Path, has_folders: bool, ignored: list[tuple[str, Path]]) -> DataError:
    """Return the error for a folder without images in class folders."""
    if has_folders:
        hint = f"{ignored[0][1]} is ignored: {ignored[0][0]}." if ignored else ""
        return DataError(f"{folder} has class folders but no images in them.", hint)
    return DataError(
        f"{folder} has neither class folders nor a table of labels.",
        "Put each image into a folder named by its class, or list them in labels.csv.",
    )


def _class_names(folder: Path) -> list[str]:
    names = [child.name for child in folder.iterdir() if child.is_dir() and not child.name.startswith(HIDDEN)]
    return sorted(names, key=sort_key)


def sort_key(name: str) -> _SortKey:
    """Return the sort key of a class folder, under which "2" comes before "10".

    Args:
        name: Name of the folder.
    """
    return _SortKey(False, int(name), name) if name.isdecimal() else _SortKey(True, 0, name)


def _open(path: Path, split: str) -> LabelledImages:
    """Open class folders, or the folder of a split that holds them or a table."""
    splits = split_folders(
        _class_names(path),
        lambda name: holds_images(path / name),
        lambda name: any(holds_images(path / name / child) for child in _class_names(path / name)),
        str(path),
    )
    if not splits:
        return open_class_folders(path)
    chosen = path / pick_split(split, splits, str(path), f"Pass the folder of one split, such as {path / splits[0]}.")
    opened = CSV_FOLDER.open(chosen, split) if CSV_FOLDER.understands(chosen) else open_class_folders(chosen)
    return replace(opened, split=f"local files, split {chosen.name}")


def split_folders(
    names: Sequence[str],
    holds_images: Callable[[str], bool],
    holds_classes: Callable[[str], bool],
    origin: str,
) -> list[str]:
    """Return the folders that are splits; none where the folders are classes.

    Folders without any images, such as `logs`, do not keep the others from being splits.

    Args:
        names: Names of the folders.
        holds_images: Whether there are images at any depth below a folder.
        holds_classes: Whether there are folders of images in a folder.
        origin: What holds the folders, for the message.

    Raises:
        DataError: Some of the folders are splits that hold class folders, and others hold images, too.
    """
    splits = [name for name in names if name.lower() in SPLITS]
    others = [name for name in names if name.lower() not in SPLITS]
    if not splits or not others or not any(map(holds_classes, splits)):
        return [] if others else splits
    if beside := next(filter(holds_images, others), None):
        raise DataError(
            f"{origin} holds splits ({', '.join(splits)}) beside {beside}, which is none, so that the classes are "
            "unclear.",
            f"Pass the folder of one split, or move {beside} elsewhere.",
        )
    return splits


def _has_folders(path: Path) -> bool:
    return path.is_dir() and any(child.is_dir() for child in path.iterdir())


CLASS_FOLDERS = Reader(
    understands=_has_folders,
    open=_open,
    layouts=(
        DocumentedLayout(
            files="a folder of class folders, at any depth; or of `train`, `val` and `test` folders that hold them",
            labels="folder names: a class index, a wnid or a class name",
            class_order="names in sorted order, a folder without images included; folders that are all numbers are "
            "indices (`2` before `10`)",
        ),
    ),
)
