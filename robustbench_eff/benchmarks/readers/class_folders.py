"""Reader of a folder of class folders, named by class index, wnid or class name."""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from robustbench_eff.core.errors import DataError

from ..labelled_images import LabelledImages, file_stamp
from ..reader import Reader

SPLITS = frozenset({"train", "training", "val", "valid", "validation", "test", "testing"})
"""Names of folders that are splits and not classes."""
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".ppm", ".tif", ".tiff", ".gif"})
"""Suffixes of image files."""


class ClassOrder(NamedTuple):
    """Sort key of class folders: numbers by value, before names in alphabetical order."""

    is_name: bool
    """False for a folder named by a number."""
    number: int
    """The number; 0 for a name."""
    name: str
    """Name of the folder."""


def open_class_folders(folder: Path, suffixes: frozenset[str] = SUFFIXES) -> LabelledImages:
    """List every file below each class folder, one per class in turn: the first of each class, then the second, ...

    Classes come in sorted order (numbers by value), so that the first N files hold all classes equally.

    Args:
        folder: The folder with the class folders.
        suffixes: Suffixes of the files to list, in lower case.

    Raises:
        DataError: The folders are splits, or hold no such files.
    """
    classes = [child for child in folder.iterdir() if child.is_dir() and not child.name.startswith(".")]
    if classes and all(child.name.lower() in SPLITS for child in classes):
        names = ", ".join(sorted(child.name for child in classes))
        raise DataError(f"{folder} holds splits ({names}), not classes.", "Pass one of them.")
    paths_by_class = [image_files(child, suffixes) for child in sorted(classes, key=class_order)]
    paths = [path for turn in zip_longest(*paths_by_class) for path in turn if path is not None]
    if not paths:
        raise DataError(f"{folder} has class folders but no images in them.")
    return from_paths(folder, paths, [path.relative_to(folder).parts[0] for path in paths])


def class_order(path: Path) -> ClassOrder:
    """Return the sort key of a class folder, under which "2" comes before "10".

    Args:
        path: The class folder.
    """
    return ClassOrder(False, int(path.name), path.name) if path.name.isdigit() else ClassOrder(True, 0, path.name)


def image_files(folder: Path, suffixes: frozenset[str] = SUFFIXES) -> list[Path]:
    """Return all image files at any depth, in sorted order.

    A dangling link is among them, so that reading it names it.

    Args:
        folder: The folder to search.
        suffixes: Suffixes of the files to list, in lower case.
    """
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in suffixes and not path.is_dir())


def from_paths(folder: Path, paths: list[Path], labels: list[str]) -> LabelledImages:
    """Return image files with one label each; ids are the paths below the folder.

    Args:
        folder: A folder that holds all files.
        paths: The files.
        labels: Label of each file.
    """
    ids = [path.relative_to(folder).as_posix() for path in paths]
    return LabelledImages(
        origin=str(folder),
        ids=ids,
        labels=list(labels),
        read=lambda position: paths[position].read_bytes(),
        stamp="\n".join(file_stamp(path) for path in paths),
    )


def _has_folders(path: Path) -> bool:
    return path.is_dir() and any(child.is_dir() for child in path.iterdir())


CLASS_FOLDERS = Reader(understands=_has_folders, open=lambda path, _: open_class_folders(path))
