"""Class folders with other files beside them, which must not be opened in their place."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from robustbench_eff.core.errors import DataError

from .class_folders import SPLITS
from .image_files import HIDDEN, holds_images


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
