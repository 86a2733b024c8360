"""Reader of ILSVRC 2012's validation images as they are downloaded: a flat folder or tar, labelled by other files."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from robustbench_eff.core.errors import DataError

from ..labelled_images import IgnoredFiles, LabelledImages, file_stamp
from ..reader import DocumentedLayout, Reader
from .class_folders import open_class_folders
from .csv_folder import find_csv
from .image_files import SUFFIXES, read_image
from .imagenet_devkit import ARCHIVE
from .imagenet_val_labels import SOLUTION, find_labels
from .tar_members import first_files, members, read_member

TAR = "ILSVRC2012_img_val.tar"
"""Name of the tar of all validation images."""
KAGGLE = ("ILSVRC/Data/CLS-LOC", "Data/CLS-LOC", "CLS-LOC")
"""Where the folders `train` and `val` of Kaggle's copy lie below its root, or below a folder of it."""
_SUFFIX = "|".join(re.escape(suffix) for suffix in sorted(SUFFIXES))
_IMAGE = re.compile(rf"ILSVRC2012_val_\d{{8}}(?i:{_SUFFIX})")
_WNID = re.compile(r"n\d{8}")
_UNLABELLED = re.compile(rf"ILSVRC2012_test_\d{{8}}(?i:{_SUFFIX})|n\d{{8}}\.tar")


def understands(path: Path) -> bool:
    """Return True for a flat folder or tar of validation images, or a folder that holds either.

    Args:
        path: A file or folder.
    """
    return _place(path) is not None


def open_validation(path: Path, split: str) -> LabelledImages:
    """List the validation images in the order of their names.

    Args:
        path: A path that `understands` accepts.
        split: `train` for the training images of Kaggle's copy; any other for the validation images.

    Raises:
        DataError: No file with labels is found, or it does not fit the images; or the images have no public labels; or
            training images are wanted and are not there.
    """
    if (place := _place(path)) is None:
        raise DataError(f"{path} holds no validation images of ILSVRC 2012.")
    if split == "train":
        train = place.with_name("train")
        if place == path or not train.is_dir():
            raise DataError(
                f"{path} holds validation images, not those for training.",
                "Pass the folder of the training images, unpacked into class folders.",
            )
        return replace(open_class_folders(train), split="local files, split train")
    if place == path:
        return _open_tar(place) if place.is_file() else _open_folder(place)
    if place.is_file():
        opened = _open_tar(place)
    else:
        opened = _open_folder(place) if _is_flat(place) else open_class_folders(place)
    return replace(opened, split="local files, split val")


def _place(path: Path) -> Path | None:
    """The folder or tar of images at a path, or below it."""
    if path.is_file():
        names = [PurePosixPath(name) for name in first_files(path)]
        # A tar of class folders tells the classes by itself.
        return path if any(_is_named(name.name) and not _WNID.fullmatch(name.parent.name) for name in names) else None
    if not path.is_dir() or find_csv(path) is not None:
        return None
    val, tar, kaggle = path / "val", path / TAR, [path / below / "val" for below in KAGGLE]
    folders = [path, val, path / TAR.removesuffix(".tar"), *kaggle]
    if flat := next((folder for folder in folders if _is_flat(folder)), None):
        return flat
    if not tar.exists():
        return next((folder for folder in kaggle if folder.exists()), None)
    # Class folders tell the classes by themselves, the tar beside them needs the devkit.
    return None if _has_classes(path) else val if _has_classes(val) else tar


def _is_flat(folder: Path) -> bool:
    """Whether a folder holds validation images, or other images of ILSVRC 2012 without its class folders."""
    if not folder.is_dir():
        return False
    others = False
    with os.scandir(folder) as entries:
        for entry in entries:
            if _IMAGE.fullmatch(entry.name):
                return True
            others = others or bool(_UNLABELLED.fullmatch(entry.name))
    return others and not _has_classes(folder)


def _has_classes(folder: Path) -> bool:
    return folder.is_dir() and any(_WNID.fullmatch(child.name) and child.is_dir() for child in folder.iterdir())


def _is_named(name: str) -> bool:
    return bool(_IMAGE.fullmatch(name) or _UNLABELLED.fullmatch(name))


def _open_folder(folder: Path) -> LabelledImages:
    with os.scandir(folder) as entries:
        files = sorted(entry.name for entry in entries)
    if classes := [name for name in files if _WNID.fullmatch(name)]:
        outside = sum(bool(_IMAGE.fullmatch(name)) for name in files)
        raise DataError(
            f"{folder} holds class folders such as {classes[0]}, and {outside} validation images outside of them.",
            "Move each image into the folder of its class, or all of them into one folder.",
        )
    names = [name for name in files if Path(name).suffix.lower() in SUFFIXES and not name.startswith("._")]
    paths = [folder / name for name in names if _IMAGE.fullmatch(name)]
    # Kaggle's labels lie at its root, four levels above the images.
    parents = folder.absolute().parents
    above = parents[:4] if folder.absolute().parts[-3:] == ("Data", "CLS-LOC", "val") else parents[:1]
    return _labelled(
        folder,
        names,
        [folder, *above],
        lambda row: read_image(paths[row]),
        lambda: [file_stamp(path) for path in paths],
    )


def _open_tar(path: Path) -> LabelledImages:
    listed = members(path)
    files = {PurePosixPath(member.name).name: member for member in listed}
    for member in listed:
        other = files[name := PurePosixPath(member.name).name]
        if other is not member and _IMAGE.fullmatch(name):
            raise DataError(f"{path} holds {name} twice: {member.name} and {other.name}.", "Unpack it, and keep one.")
    names = sorted(name for name in files if Path(name).suffix.lower() in SUFFIXES)
    images = [files[name] for name in names if _IMAGE.fullmatch(name)]
    return _labelled(path, names, [path.parent], lambda row: read_member(path, images[row]), lambda: [file_stamp(path)])


def _labelled(
    origin: Path,
    names: Sequence[str],
    folders: Sequence[Path],
    read: Callable[[int], bytes],
    stamps: Callable[[], list[str]],
) -> LabelledImages:
    """The images among some files, with their labels from a file in one of some folders."""
    ids = [name for name in names if _IMAGE.fullmatch(name)]
    if not ids:
        raise DataError(
            f"{origin} holds images of ILSVRC 2012 that are not the validation images: those of the test set have no "
            "public labels, and the training set is a tar of tars.",
            f"Pass {TAR}, or a folder of the validation images; or unpack the training set into class folders.",
        )
    if (labels := find_labels(folders)) is None:
        raise DataError(
            f"{origin} holds the validation images of ILSVRC 2012, whose names do not tell their classes.",
            f"Put {ARCHIVE}, Kaggle's {SOLUTION} or Caffe's val.txt into {folders[0]}.",
        )
    if missing := [name for name in ids if Path(name).stem not in labels.label_of]:
        raise DataError(
            f"{labels.path} has no label for {missing[0]}" + (f" and {len(missing) - 1} more." if missing[1:] else "."),
            "Check that it is complete, and that it belongs to these images.",
        )
    others = [name for name in names if not _IMAGE.fullmatch(name)]
    return LabelledImages(
        origin=str(origin),
        ids=ids,
        labels=[labels.label_of[Path(name).stem] for name in ids],
        read=read,
        stamp="\n".join([*stamps(), file_stamp(labels.path)]),
        ignored=(IgnoredFiles("not named as a validation image", len(others), others[0]),) if others else (),
    )


IMAGENET_VAL = Reader(
    understands=understands,
    open=open_validation,
    layouts=(
        DocumentedLayout(
            files="`ILSVRC2012_val_00000001.JPEG`, ... in one folder, or `ILSVRC2012_img_val.tar` as it is; or the "
            "folder that holds the folder `val` or the tar",
            labels="in the same folder or the one above: `ILSVRC2012_devkit_t12` (also packed, `.tar.gz`), whose "
            "numbers go through its `meta.mat`; `imagenet_2012_validation_synset_labels.txt`, a wnid per line; or "
            "Caffe's `val.txt` (also `meta/val.txt`), lines of a file name and an index from 0",
            class_order="wnids in sorted order, which is ImageNet's; or the indices of `val.txt`",
        ),
        DocumentedLayout(
            files="Kaggle's ImageNet Object Localization Challenge: its root, or `ILSVRC/Data/CLS-LOC/val`",
            labels="`LOC_val_solution.csv` at the root: the wnid of the first box",
            class_order="wnids in sorted order, which is ImageNet's",
        ),
    ),
)
