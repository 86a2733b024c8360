"""Files beside those that are read: class folders beside a data set, and images that a table does not list."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from robustbench_eff.core.errors import DataError

from ..labelled_images import IgnoredFiles
from .image_files import HIDDEN, RECORD, find_images, holds_images, summary
from .splits import SPLITS


def holds_class_folders(folder: Path, without: Collection[Path] = ()) -> bool:
    """Return True where several folders hold images, or where a folder named as a split holds such folders.

    Args:
        folder: The folder that holds them.
        without: Folders in it that do not count.
    """
    children = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(HIDDEN))
    with_images: list[Path] = []
    for child in children:
        if child not in without and holds_images(child):
            with_images.append(child)
        if len(with_images) == 2:
            return True
    return any(child.name.lower() in SPLITS and holds_class_folders(child) for child in with_images)


def refuse_class_folders(folder: Path, file: Path, without: Collection[Path] = ()) -> None:
    """Refuse a folder that holds both a file with a data set and class folders.

    Args:
        folder: The folder.
        file: The file in it, for the message.
        without: Folders in it that are not class folders.

    Raises:
        DataError: It holds class folders.
    """
    if holds_class_folders(folder, without):
        raise DataError(
            f"{folder} holds both {file.name} and folders with images.",
            f"Pass {file}, or move it elsewhere to read the folders.",
        )


def unlisted_files(folder: Path, table: Path, listed: Collection[Path]) -> tuple[IgnoredFiles, ...]:
    """Return the files of a folder that a table does not list, besides the record of how the images were made.

    Args:
        folder: The folder to search.
        table: The table.
        listed: The files that it lists.
    """
    found = find_images(folder)
    places = set(map(absolute, listed))
    unlisted = [(f"not listed in {table.name}", path) for path in found.images if absolute(path) not in places]
    others = [(reason, path) for reason, path in found.ignored if path not in (table, folder / RECORD)]
    return summary([*unlisted, *others], folder)


def absolute(path: Path) -> Path:
    """Return an absolute path; links are not followed.

    Args:
        path: Any path.
    """
    return Path(os.path.normpath(path.absolute()))
