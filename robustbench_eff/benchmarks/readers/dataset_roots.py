"""Reader of the folder that a library downloads into: the one data set in it is opened.

Names as in torchvision.datasets (`root=`), keras.datasets and the authors' archives.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from robustbench_eff.core.errors import DataError

from ..labelled_images import LabelledImages
from ..reader import DocumentedLayout, Reader
from .cifar_files import CIFAR_FILES
from .class_folders import CLASS_FOLDERS
from .gtsrb import GTSRB
from .idx_files import IDX_FILES
from .image_files import SUFFIXES
from .listed_photos import LISTED_PHOTOS
from .npz import NPZ
from .splits import pick_split, split_named, without_split
from .stl10 import STL10
from .stray_files import refuse_class_folders
from .svhn import SVHN
from .tiny_imagenet import TINY_IMAGENET


class _Set(NamedTuple):
    """A data set as it lies in a folder, with or without others."""

    title: str
    """Its name: several entries of one title hold the same images, or its splits."""
    name: re.Pattern[str]
    """The name of its folder or file."""
    reader: Reader
    """Opens it."""


_SETS = (
    _Set("CIFAR-10", re.compile(r"cifar-10-(batches|python|binary).*"), CIFAR_FILES),
    _Set("CIFAR-100", re.compile(r"cifar-100-(batches|python|binary).*"), CIFAR_FILES),
    *(
        _Set(name, re.compile(name), IDX_FILES)
        for name in ("MNIST", "FashionMNIST", "KMNIST", "EMNIST", "fashion-mnist")
    ),
    _Set("Keras' MNIST", re.compile(r"mnist\.npz"), NPZ),
    _Set("SVHN", re.compile(r"(train|test|extra)_32x32\.mat"), SVHN),
    _Set("STL-10", re.compile("stl10_binary"), STL10),
    _Set("GTSRB", re.compile("gtsrb|GTSRB"), GTSRB),
    *(_Set(name, re.compile(name), LISTED_PHOTOS) for name in ("food-101", "oxford-iiit-pet", "flowers-102")),
    _Set("Tiny-ImageNet", re.compile("tiny-imagenet-200"), TINY_IMAGENET),
)
_IMAGENETTE = re.compile(r"(imagenette|imagewoof)2?(-160|-320)?")
"""Names of Imagenette's folders, which differ in the size of the images."""


class _Found(NamedTuple):
    """A data set that a folder holds."""

    title: str
    """Its name."""
    path: Path
    """Its folder or file."""
    reader: Reader
    """Opens it."""


def _found(folder: Path) -> list[_Found]:
    """The data sets of a folder, unpacked ones before archives."""
    if not folder.is_dir():
        return []
    children = [child for child in folder.iterdir() if not child.name.startswith(".")]
    found = []
    for child in sorted(children, key=lambda child: (child.is_file(), child.name)):
        for each in _SETS:
            if each.name.fullmatch(child.name) and each.reader.understands(child):
                found.append(_Found(each.title, child, each.reader))
        if _IMAGENETTE.fullmatch(child.name) and (child / "val").is_dir():
            found.append(_Found(child.name, child, CLASS_FOLDERS))
    if found or any(child.is_dir() or child.suffix.lower() in SUFFIXES for child in children):
        return found
    archives = sorted(child for child in children if child.suffix == ".npz")
    return [_Found(without_split(child.stem), child, NPZ) for child in archives]


def _open(path: Path, split: str) -> LabelledImages:
    found = _found(path)
    if len({each.title for each in found}) > 1:
        places = ", ".join(each.path.relative_to(path).as_posix() for each in found)
        raise DataError(f"{path} holds several data sets: {places}.", f"Pass one of them, such as {found[0].path}.")
    refuse_class_folders(path, found[0].path, [each.path for each in found])
    # The splits of one set may be files of their own: test_32x32.mat beside train_32x32.mat.
    picked = pick_split(split, (split_named(each.path.stem) for each in found), str(path))
    of_split = [each for each in found if split_named(each.path.stem) == picked]
    if len(of_split) > 1 and all(each.reader is NPZ for each in of_split):
        names = ", ".join(each.path.name for each in of_split)
        raise DataError(f"{path} holds several files of one split: {names}.", f"Pass one, such as {of_split[0].path}.")
    return of_split[0].reader.open(of_split[0].path, split)


DATASET_ROOTS = Reader(
    understands=lambda path: bool(_found(path)),
    open=_open,
    layouts=(
        DocumentedLayout(
            files="torchvision's `root=` folder with one of its data sets: CIFAR, MNIST, Fashion-MNIST, KMNIST, "
            "EMNIST, SVHN, STL-10, "
            "GTSRB, Food-101, Oxford-IIIT Pet, Flowers-102, Imagenette (its `val`); a folder with one `.npz`",
            labels="as for that data set",
            class_order="as for that data set",
        ),
    ),
)
