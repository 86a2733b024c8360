"""Reader of a tar of class folders, which is read without being unpacked."""

from __future__ import annotations

import os
from collections import defaultdict
from itertools import zip_longest
from pathlib import Path, PurePosixPath

from robustbench_eff.core.errors import DataError

from ..labelled_images import IgnoredFiles, LabelledImages, file_stamp
from ..reader import DocumentedLayout, Reader
from .class_folders import SPLITS, SUFFIXES, class_order
from .tar_members import Member, first_files, members, read_member


def understands(path: Path) -> bool:
    """Return True for an uncompressed tar of images in folders; webdataset gives each image a file of the same stem.

    Args:
        path: Any path.
    """
    names = [PurePosixPath(name) for name in first_files(path)]
    images = [name for name in names if _is_image(name)]
    stems = [name.with_suffix("") for name in names]
    return bool(images) and all(len(name.parts) > 1 and stems.count(name.with_suffix("")) == 1 for name in images)


def open_tar(path: Path) -> LabelledImages:
    """List the images of a tar, one per class in turn, as those of a folder of class folders.

    Args:
        path: A path that `understands` accepts.

    Raises:
        DataError: The tar is cut short, or its folders are splits.
    """
    files = [(PurePosixPath(member.name), member) for member in members(path)]
    images = [(name, member) for name, member in files if _is_image(name)]
    root = _root([name for name, _ in images])
    by_class: dict[str, list[tuple[str, Member]]] = defaultdict(list)
    for name, member in images:
        below = name.relative_to(root)
        if len(below.parts) == 1:
            raise DataError(f"{path} holds {name} outside of any class folder.", "Unpack it, and remove that file.")
        by_class[below.parts[0]].append((str(below), member))
    if by_class and all(label.lower() in SPLITS for label in by_class):
        raise DataError(
            f"{path} holds splits ({', '.join(sorted(by_class))}), not classes.", "Unpack it, and pass one."
        )
    classes = [sorted(by_class[name]) for name in sorted(by_class, key=lambda name: class_order(Path(name)))]
    listed = [image for turn in zip_longest(*classes) for image in turn if image is not None]
    others = [name for name, _ in files if not _is_image(name)]
    return LabelledImages(
        origin=str(path),
        ids=[name for name, _ in listed],
        labels=[PurePosixPath(name).parts[0] for name, _ in listed],
        read=lambda position: read_member(path, listed[position][1]),
        stamp=file_stamp(path),
        ignored=(IgnoredFiles("not an image", len(others), str(others[0])),) if others else (),
    )


def _root(names: list[PurePosixPath]) -> str:
    """The folder that holds the class folders: that which all images share, or the one above a single class."""
    shared = os.path.commonpath([name.parent for name in names])
    return str(PurePosixPath(shared).parent) if all(str(name.parent) == shared for name in names) else shared


def _is_image(name: PurePosixPath) -> bool:
    return name.suffix.lower() in SUFFIXES


TAR_FOLDERS = Reader(
    understands=understands,
    open=lambda path, _: open_tar(path),
    layouts=(
        DocumentedLayout(
            files="a `.tar` of class folders, such as `imagenet-r.tar`, as it is",
            labels="names of the folders",
            class_order="as for class folders",
        ),
    ),
)
