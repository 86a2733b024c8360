"""Reader of a tar of class folders, which is read without being unpacked."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from robustbench_eff.core.errors import DataError

from ..labelled_images import IgnoredFiles, LabelledImages, file_stamp
from ..reader import DocumentedLayout, Reader
from .class_folders import EMPTY_CLASS, deal, split_folders
from .image_files import HIDDEN, SUFFIXES, summary
from .splits import SPLITS, pick_split
from .tar_members import Member, contents, first_files, read_member

_LOOKED_AT = 1000
"""Number of files in a tar that tell whether it holds class folders."""


def understands(path: Path) -> bool:
    """Return True for an uncompressed tar of images in folders; webdataset gives each image a file of the same stem.

    Args:
        path: Any path.
    """
    names = [name for name in map(PurePosixPath, first_files(path, _LOOKED_AT)) if not _is_hidden(name)]
    images = [name for name in names if _is_image(name)]
    beside = {name.with_suffix("") for name in names if not _is_image(name)}
    return bool(images) and all(len(name.parts) > 1 and name.with_suffix("") not in beside for name in images)


@dataclass(frozen=True, slots=True)
class _Tree:
    """The files and folders of a tar."""

    images: dict[PurePosixPath, Member]
    """The images by their path."""
    folders: list[PurePosixPath]
    """The folders that the tar lists, and those that hold images."""
    ignored: list[tuple[str, PurePosixPath]]
    """Every other file, after the reason why it is not read."""

    def children(self, folder: PurePosixPath) -> list[str]:
        """The names of the folders in a folder."""
        below = (each.relative_to(folder).parts for each in self.folders if each.is_relative_to(folder))
        return sorted({parts[0] for parts in below if parts})

    def holds_images(self, folder: PurePosixPath) -> bool:
        """Whether there are images at any depth below a folder."""
        return any(name.is_relative_to(folder) for name in self.images)


def open_tar(path: Path, split: str) -> LabelledImages:
    """List the images of a tar, one per class in turn, as those of a folder of class folders.

    Args:
        path: A path that `understands` accepts.
        split: The split to take where the folders are splits that hold class folders.

    Raises:
        DataError: The tar is cut short, an image lies in no class folder, or the folders are other splits.
    """
    tree = _tree(path)
    root = _root(tree.images)
    splits = split_folders(
        tree.children(root),
        lambda name: tree.holds_images(root / name),
        lambda name: any(tree.holds_images(root / name / child) for child in tree.children(root / name)),
        str(path),
    )
    chosen = pick_split(split, splits, str(path), "Unpack it, and pass the folder of one split.") if splits else None
    folder = root / (chosen or "")
    images = {name: member for name, member in tree.images.items() if name.is_relative_to(folder)}
    by_class: dict[str, list[PurePosixPath]] = {name: [] for name in tree.children(folder)}
    for name in sorted(images):
        label, *below = name.relative_to(folder).parts
        if not below:
            raise DataError(f"{path} holds {name} outside of any class folder.", "Unpack it, and remove that file.")
        by_class[label].append(name)
    dealt = deal(by_class)
    listed = dealt.images
    if not listed:
        raise DataError(f"{path} holds no images in {folder}.", "Unpack it, and pass the folder with the images.")
    return LabelledImages(
        origin=str(path),
        ids=[str(name.relative_to(folder)) for name in listed],
        labels=[name.relative_to(folder).parts[0] for name in listed],
        read=lambda position: read_member(path, images[listed[position]]),
        stamp=file_stamp(path),
        split="local files" if chosen is None else f"local files, split {chosen}",
        class_names=dealt.names,
        class_order=dealt.order,
        ignored=_summary(tree, folder, dealt.empty),
    )


def _tree(path: Path) -> _Tree:
    found = contents(path)
    images: dict[PurePosixPath, Member] = {}
    ignored = []
    for member in found.files:
        name = PurePosixPath(member.name)
        if _is_hidden(name):
            ignored.append(("hidden", name))
        elif _is_image(name):
            images[name] = member
        else:
            ignored.append((f"not an image ({name.suffix.lower() or 'no suffix'})", name))
    listed = [name for name in map(PurePosixPath, found.folders) if not _is_hidden(name)]
    return _Tree(images, [*listed, *dict.fromkeys(name.parent for name in images)], ignored)


def _summary(tree: _Tree, folder: PurePosixPath, empty: list[str]) -> tuple[IgnoredFiles, ...]:
    return summary([*sorted(tree.ignored), *((EMPTY_CLASS, folder / name) for name in empty)], PurePosixPath())


def _root(images: Iterable[PurePosixPath]) -> PurePosixPath:
    """The folder that holds the class folders: that which all images share, or the one above a single class.

    It is never the folder of a split, so that a tar of training images alone is seen as such.
    """
    folders = {name.parent for name in images}
    shared = PurePosixPath(posixpath.commonpath(folders))
    root = shared.parent if folders == {shared} else shared
    return root.parent if root.name.lower() in SPLITS else root


def _is_hidden(name: PurePosixPath) -> bool:
    return any(part.startswith(HIDDEN) for part in name.parts)


def _is_image(name: PurePosixPath) -> bool:
    return name.suffix.lower() in SUFFIXES


TAR_FOLDERS = Reader(
    understands=understands,
    open=open_tar,
    layouts=(
        DocumentedLayout(
            files="a `.tar` of class folders, such as that of ImageNet-R, as it is",
            labels="names of the folders",
            class_order="as for class folders",
        ),
    ),
)
