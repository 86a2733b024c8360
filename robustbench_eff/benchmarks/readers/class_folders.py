"""Reader of a folder of class folders, named by class index, wnid or class name."""

from __future__ import annotations

from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from robustbench_eff.core.errors import DataError

from ..labelled_images import LabelledImages
from ..reader import DocumentedLayout, Reader
from .image_files import HIDDEN, SUFFIXES, find_images, from_paths, summary

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
"""Names of folders that are splits and not classes, and the split that each holds."""
FALLBACK = {"test": "validation", "validation": "test"}
"""The split that is opened where the wanted one is not there: one that nobody trained on."""


class _SortKey(NamedTuple):
    """Sort key of class folders: numbers by value, before names in alphabetical order."""

    is_name: bool
    """False for a folder named by a number."""
    number: int
    """The number; 0 for a name."""
    name: str
    """Name of the folder."""


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
            ignored.append(("not in a class folder", path))
    paths = [path for turn in zip_longest(*by_class.values()) for path in turn if path is not None]
    if not paths:
        raise DataError(f"{folder} has class folders but no images in them.", _hint(found.ignored))
    opened = from_paths(folder, paths, [path.relative_to(folder).parts[0] for path in paths])
    numbers = all(name.isdecimal() for name in by_class)
    return replace(
        opened,
        class_names=() if numbers else tuple(sorted(by_class)),
        class_order="folder names as numbers" if numbers else "class folders in sorted order",
        ignored=summary(ignored, folder),
    )


def _hint(ignored: list[tuple[str, Path]]) -> str:
    return f"{ignored[0][1]} is ignored: {ignored[0][0]}." if ignored else ""


def _class_names(folder: Path) -> list[str]:
    names = [child.name for child in folder.iterdir() if child.is_dir() and not child.name.startswith(HIDDEN)]
    return sorted(names, key=_sort_key)


def _sort_key(name: str) -> _SortKey:
    """The key under which "2" comes before "10"."""
    return _SortKey(False, int(name), name) if name.isdecimal() else _SortKey(True, 0, name)


def _open(path: Path, split: str) -> LabelledImages:
    """Open class folders, or the folder of a split that holds them."""
    names = _class_names(path)
    if not names or not {name.lower() for name in names} <= SPLITS.keys():
        return open_class_folders(path)
    held = {name: SPLITS[name.lower()] for name in names}
    for wanted in (split, FALLBACK.get(split)):
        chosen = [name for name in names if held[name] == wanted]
        if len(chosen) == 1:
            return replace(open_class_folders(path / chosen[0]), split=f"local files, split {chosen[0]}")
    raise DataError(f"{path} holds splits ({', '.join(names)}), not classes.", "Pass one of them.")


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
