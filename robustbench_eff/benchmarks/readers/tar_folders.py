"""Reader of a tar of class folders, which is read without being unpacked."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterable
from itertools import zip_longest
from pathlib import Path, PurePosixPath

from robustbench_eff.core.errors import DataError

from ..labelled_images import IgnoredFiles, LabelledImages, file_stamp
from ..reader import DocumentedLayout, Reader
from .class_folders import sort_key, split_among
from .image_files import SUFFIXES
from .tar_members import first_files, members, read_member


def understands(path: Path) -> bool:
    """Return True for an uncompressed tar of images in folders; webdataset gives each image a file of the same stem.

    Args:
        path: Any path.
    """
    names = [PurePosixPath(name) for name in first_files(path)]
    images = [name for name in names if _is_image(name)]
    stems = [name.with_suffix("") for name in names]
    return bool(images) and all(len(name.parts) > 1 and stems.count(name.with_suffix("")) == 1 for name in images)


def open_tar(path: Path, split: str) -> LabelledImages:
    """List the images of a tar, one per class in turn, as those of a folder of class folders.

    Args:
        path: A path that `understands` accepts.
        split: The split to take where the folders are splits that hold class folders.

    Raises:
        DataError: The tar is cut short, an image lies in no class folder, or the folders are other splits.
    """
    files = [(PurePosixPath(member.name), member) for member in members(path)]
    images = {name: member for name, member in files if _is_image(name)}
    root = _root(images)
    folders = sorted({name.relative_to(root).parts[0] for name in images}, key=sort_key)
    chosen = split_among(folders, split, path)
    if chosen is not None:
        root /= chosen
        images = {name: member for name, member in images.items() if name.is_relative_to(root)}
    by_class: dict[str, list[PurePosixPath]] = defaultdict(list)
    for name in sorted(images):
        label, *below = name.relative_to(root).parts
        if not below:
            raise DataError(f"{path} holds {name} outside of any class folder.", "Unpack it, and remove that file.")
        by_class[label].append(name)
    classes = sorted(by_class, key=sort_key)
    listed = [
        name for turn in zip_longest(*(by_class[label] for label in classes)) for name in turn if name is not None
    ]
    numbers = all(label.isdecimal() for label in classes)
    others = [name for name, _ in files if not _is_image(name)]
    return LabelledImages(
        origin=str(path),
        ids=[str(name.relative_to(root)) for name in listed],
        labels=[name.relative_to(root).parts[0] for name in listed],
        read=lambda position: read_member(path, images[listed[position]]),
        stamp=file_stamp(path),
        split="local files" if chosen is None else f"local files, split {chosen}",
        class_names=() if numbers else tuple(sorted(classes)),
        class_order="folder names as numbers" if numbers else "class folders in sorted order",
        ignored=(IgnoredFiles("not an image", len(others), str(others[0])),) if others else (),
    )


def _root(names: Iterable[PurePosixPath]) -> PurePosixPath:
    """The folder that holds the class folders: that which all images share, or the one above a single class."""
    folders = {name.parent for name in names}
    shared = PurePosixPath(posixpath.commonpath(folders))
    return shared.parent if folders == {shared} else shared


def _is_image(name: PurePosixPath) -> bool:
    return name.suffix.lower() in SUFFIXES


TAR_FOLDERS = Reader(
    understands=understands,
    open=open_tar,
    layouts=(
        DocumentedLayout(
            files="a `.tar` of class folders, such as that of ImageNet-R, as it is",
            labels="names of the folders",
            class_order="as for class folders, of those with images",
        ),
    ),
)
