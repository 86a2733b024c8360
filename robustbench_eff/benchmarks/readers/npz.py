"""Reader of a NumPy archive with an array of images and one of labels, or one of each for every split."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt

from robustbench_eff.core.errors import DataError

from ..labelled_images import LabelledImages, file_stamp
from ..reader import DocumentedLayout, Reader
from .arrays import IMAGE_WORDS, LABEL_WORDS, find_pairs, labelled_arrays, pick_pair
from .placeholder import refuse_placeholder
from .splits import named_split, split_named

_CIFAR_10_2 = re.compile(r"cifar102_(train|test)\.npz")
"""The files of CIFAR-10.2."""


def open_npz(path: Path, split: str) -> LabelledImages:
    """Read the images and labels of an archive.

    Args:
        path: The archive.
        split: Name of the split to take where the archive holds several.

    Raises:
        DataError: An array is missing, holds Python objects, or has another form than `labelled_arrays` takes.
    """
    refuse_placeholder(path)
    with np.load(path, allow_pickle=False) as archive:
        pairs = find_pairs(archive.files)
        if not pairs:
            _refuse_names(path, archive.files)
        pair = pick_pair(pairs, split, str(path), "Store one pair of arrays as x and y in a file of its own.")
        if not pair.split:
            named_split(split, path.stem, str(path))
        images, labels = (_entry(path, archive, name) for name in (pair.images, pair.labels))
    return labelled_arrays(
        str(path), images, labels, stamp=f"{pair.split}\n{file_stamp(path)}", split=_split_text(path, pair.split)
    )


def _split_text(path: Path, split: str) -> str:
    """What the archive holds, for the protocol."""
    if _CIFAR_10_2.fullmatch(path.name):
        return f"{split_named(path.stem)} of CIFAR-10.2"
    return split or "local files"


def _refuse_names(path: Path, names: list[str]) -> None:
    has_images = any(name.lower() in IMAGE_WORDS for name in names)
    words = LABEL_WORDS if has_images else IMAGE_WORDS
    raise DataError(f"{path} needs an array named {' or '.join(words)}; it has {', '.join(names)}.")


def _entry(path: Path, archive: np.lib.npyio.NpzFile, name: str) -> npt.NDArray[np.generic]:
    try:
        return np.asarray(archive[name])
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        raise objects_refused(f"{path}: {name}") from error


def objects_refused(origin: str) -> DataError:
    """Return the error for an array of Python objects, which could run code when they are read.

    Args:
        origin: The array, for the message.
    """
    return DataError(
        f"{origin} holds pickled Python objects, which can run code; nothing of it was read.",
        "Store arrays of numbers.",
    )


NPZ = Reader(
    understands=lambda path: path.suffix == ".npz",
    open=open_npz,
    layouts=(
        DocumentedLayout(
            files="`.npz` with `x` and `y` (or `images`, `data`; `labels`, `targets`), also with the name of a "
            "split: Keras' `mnist.npz` (`x_test`), MedMNIST (`test_images`), CIFAR-10.2",
            labels="the array of labels: (N,), (N, 1), or one-hot",
            class_order="numbers of the labels; names in sorted order",
        ),
    ),
)
