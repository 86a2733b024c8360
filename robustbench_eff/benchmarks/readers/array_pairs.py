"""Reader of two `.npy` files, images and labels, such as CIFAR-10.1's."""

from __future__ import annotations

import re
from pathlib import Path

from ..labelled_images import LabelledImages, file_stamp
from ..reader import DocumentedLayout, Reader
from .arrays import Pair, find_pairs, labelled_arrays, pick_pair
from .npy_headers import open_array
from .npz import refuse_other_labels
from .splits import named_split
from .stray_files import refuse_class_folders

_CIFAR_10_1 = re.compile(r"cifar10\.1_(v[46])_data")
"""The files of CIFAR-10.1."""


def _pairs(path: Path) -> dict[str, Pair]:
    """The pairs of a folder, or the pair that a file belongs to."""
    folder = path if path.is_dir() else path.parent
    if not (path.is_dir() or (path.suffix == ".npy" and path.is_file())):
        return {}
    pairs = find_pairs(sorted(file.stem for file in folder.glob("*.npy")))
    return {rest: pair for rest, pair in pairs.items() if path.is_dir() or path.stem in pair}


def open_pair(path: Path, split: str) -> LabelledImages:
    """Open the images and labels of a folder, without reading the images.

    Args:
        path: A folder with a pair of files, or one of the two.
        split: Name of the split to take where the folder holds several.

    Raises:
        DataError: Several pairs fit, class folders lie beside them, an array holds Python objects, or has another form
            than `labelled_arrays` takes.
    """
    pairs = _pairs(path)
    wanted = (named_split(split, path.stem, str(path)) or split) if path.is_file() else split
    pair = pick_pair(pairs, wanted, str(path), "Pass the .npy file with the images of one of them.")
    folder = path if path.is_dir() else path.parent
    if path.is_dir():
        refuse_class_folders(path, path / f"{pair.images}.npy")
    images, labels = (folder / f"{name}.npy" for name in (pair.images, pair.labels))
    names = [file.stem for file in sorted(folder.glob("*.npy"))]
    refuse_other_labels(str(folder), pair, names, lambda name: open_array(folder / f"{name}.npy"))
    version = _CIFAR_10_1.fullmatch(pair.images)
    return labelled_arrays(
        str(images),
        open_array(images),
        open_array(labels),
        stamp=f"{file_stamp(images)}\n{file_stamp(labels)}",
        split=f"CIFAR-10.1 {version[1]}" if version else pair.split or "local files",
    )


ARRAY_PAIRS = Reader(
    understands=lambda path: bool(_pairs(path)),
    open=open_pair,
    layouts=(
        DocumentedLayout(
            files="two `.npy` files in a folder: CIFAR-10.1 (`cifar10.1_v6_data.npy`, `cifar10.1_v6_labels.npy`), "
            "`x_test.npy` and `y_test.npy`, `images.npy` and `labels.npy`",
            labels="the file of labels: (N,), (N, 1), or one-hot",
            class_order="numbers of the labels; names in sorted order",
        ),
    ),
)
