"""A folder of class folders, named by index, wnid or class name."""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path

from robustbench_eff.core.errors import DataError

from ..labelled_images import LabelledImages, file_stamp

SPLITS = frozenset({"train", "training", "val", "valid", "validation", "test", "testing"})
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".ppm", ".tif", ".tiff", ".gif"})


def open_class_folders(folder: Path, suffixes: frozenset[str] = SUFFIXES) -> LabelledImages:
    """Every image below each class folder, dealt like cards: the first of each class, then the second, ...

    Classes come in sorted order (numbers as numbers), so any first N images hold all classes alike. Other `suffixes`
    are those of other files than images.
    """
    classes = [child for child in folder.iterdir() if child.is_dir() and not child.name.startswith(".")]
    if classes and all(child.name.lower() in SPLITS for child in classes):
        names = ", ".join(sorted(child.name for child in classes))
        raise DataError(f"{folder} holds splits ({names}), not classes.", "Give one of them.")
    hands = [image_files(child, suffixes) for child in sorted(classes, key=class_order)]
    paths = [path for deal in zip_longest(*hands) for path in deal if path is not None]
    if not paths:
        raise DataError(f"{folder} has class folders but no images in them.")
    return from_paths(folder, paths, [path.relative_to(folder).parts[0] for path in paths])


def class_order(path: Path) -> tuple[int, int, str]:
    """Sort key under which "2" comes before "10"."""
    return (0, int(path.name), path.name) if path.name.isdigit() else (1, 0, path.name)


def image_files(folder: Path, suffixes: frozenset[str] = SUFFIXES) -> list[Path]:
    """All image files at any depth, in sorted order; a dangling link is among them, to be named when read."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in suffixes and not path.is_dir())


def from_paths(folder: Path, paths: list[Path], labels: list[str]) -> LabelledImages:
    """Image files with one label each; ids are the paths below `folder`."""
    ids = [path.relative_to(folder).as_posix() for path in paths]
    return LabelledImages(
        origin=str(folder),
        ids=ids,
        labels=list(labels),
        read=lambda position: paths[position].read_bytes(),
        stamp="\n".join(file_stamp(path) for path in paths),
    )
