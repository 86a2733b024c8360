"""Reader of Tiny-ImageNet as it is unpacked, or with its validation images moved into class folders.

Classes are numbered in the order of sorted wnids, as a class-folder data set of `train` numbers them; the lines of
`wnids.txt` are in another order.

Source: Stanford CS231n, http://cs231n.stanford.edu/tiny-imagenet-200.zip.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from robustbench_eff.core.errors import DataError
from robustbench_eff.core.outside_files import read_text

from ..labelled_images import LabelledImages, file_stamp
from ..reader import DocumentedLayout, Reader
from .class_folders import open_class_folders
from .image_files import from_paths
from .placeholder import refuse_placeholder
from .splits import named_split

_WNIDS, _ANNOTATIONS = "wnids.txt", "val_annotations.txt"
_SPLITS = ("train", "val", "test")
"""Names of the folders with images."""


def _root(path: Path) -> Path | None:
    """Return the folder that holds the splits, for itself and for each split; None for any other path."""
    if (path / _WNIDS).is_file() and (path / "val").is_dir():
        return path
    is_split = path.name in _SPLITS and path.is_dir() and (path.parent / _WNIDS).is_file()
    return path.parent if is_split else None


def _is_validation(path: Path) -> bool:
    """Whether a folder holds the validation images as they are unpacked."""
    return (path / _ANNOTATIONS).is_file() and (path / "images").is_dir()


def _open(path: Path, split: str) -> LabelledImages:
    root = _root(path)
    folder = path if root is None or path != root else root / ("train" if split == "train" else "val")
    if folder.name == "test" and root is not None:
        raise DataError(f"{folder} has no labels: those of the test images are not public.", f"Pass {root / 'val'}.")
    named_split(split, folder.name if folder.name in _SPLITS else "val", str(folder))
    # Moving the images into class folders may leave the list, and an empty folder of images, behind.
    listed = _is_validation(folder) and any((folder / "images").iterdir())
    opened = _validation(folder) if listed else open_class_folders(folder)
    if root is None:
        names = sorted(set(map(str, opened.labels)))
        stamp = opened.stamp
    else:
        names = sorted(read_text(root / _WNIDS).split())
        stamp = f"{opened.stamp}\n{file_stamp(root / _WNIDS)}"
    title = f"{folder.name} of Tiny-ImageNet"
    return replace(opened, stamp=stamp, split=title, class_names=tuple(names), class_order="sorted wnids")


def _validation(folder: Path) -> LabelledImages:
    """List the validation images in the order of their annotations: file, wnid and a box on each line."""
    table = folder / _ANNOTATIONS
    refuse_placeholder(table)
    paths, labels = [], []
    for line, text in enumerate(read_text(table).splitlines(), 1):
        columns = text.split("\t")
        if len(columns) < 2 or not (folder / "images" / columns[0]).is_file():
            raise DataError(
                f"{table}, line {line}: {text!r} does not name an image of {folder / 'images'} and its wnid."
            )
        paths.append(folder / "images" / columns[0])
        labels.append(columns[1])
    return from_paths(folder, paths, labels)


TINY_IMAGENET = Reader(
    understands=lambda path: path.is_dir() and (_root(path) is not None or _is_validation(path)),
    open=_open,
    layouts=(
        DocumentedLayout(
            files="Tiny-ImageNet: `tiny-imagenet-200` (its `val` is opened), its `val` as unpacked or moved into "
            "wnid folders, its `train`",
            labels="`val_annotations.txt`, or the wnid of the folder",
            class_order="sorted wnids, not the order of `wnids.txt`",
        ),
    ),
)
