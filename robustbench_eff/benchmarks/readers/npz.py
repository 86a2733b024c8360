"""Reader of a NumPy archive with an array of images and one of labels, or one of each for every split."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from robustbench_eff.core.errors import DataError

from ..labelled_images import LabelledImages, file_stamp
from ..reader import DocumentedLayout, Reader
from .arrays import IMAGE_WORDS, LABEL_WORDS, Pair, find_pairs, labelled_arrays, pick_pair
from .npy_headers import check_member
from .placeholder import refuse_placeholder
from .splits import named_split, split_named, words_of

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
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path} is not an archive of NumPy.", "Save the arrays with np.savez.")
    with np.load(path, allow_pickle=False) as archive:
        pairs = find_pairs(archive.files)
        if not pairs:
            _refuse_names(path, archive.files)
        pair = pick_pair(pairs, split, str(path), "Store one pair of arrays as x and y in a file of its own.")
        if not pair.split:
            named_split(split, path.stem, str(path))
        images, labels = (_entry(path, archive, name) for name in (pair.images, pair.labels))
        refuse_other_labels(str(path), pair, archive.files, lambda name: _entry(path, archive, name))
    return labelled_arrays(
        str(path), images, labels, stamp=f"{pair.split}\n{file_stamp(path)}", split=_split_text(path, pair.split)
    )


def _split_text(path: Path, split: str) -> str:
    """What the archive holds, for the protocol."""
    if _CIFAR_10_2.fullmatch(path.name):
        return f"{split_named(path.stem)} of CIFAR-10.2"
    return split or "local files"


def _refuse_names(path: Path, names: list[str]) -> None:
    found = {word for name in names for word in words_of(name)}
    has_images, has_labels = not found.isdisjoint(IMAGE_WORDS), not found.isdisjoint(LABEL_WORDS)
    held = f"it has {', '.join(names) or 'none'}."
    if has_images and has_labels:
        raise DataError(
            f"{path} has no images and labels that belong together; {held}", "Name them alike, as x_test and y_test."
        )
    missing, words = ("labels", LABEL_WORDS) if has_images else ("images", IMAGE_WORDS)
    raise DataError(
        f"{path} needs an array of {missing}, named {' or '.join(words)}, alone or with a split; {held}",
        "Name the arrays x_test and y_test.",
    )


def refuse_other_labels(
    origin: str, pair: Pair, names: Iterable[str], read: Callable[[str], npt.NDArray[np.generic]]
) -> None:
    """Refuse arrays that label the images of a pair otherwise than its own labels do.

    Args:
        origin: What holds the arrays, for the message.
        pair: The pair.
        names: Names of all arrays.
        read: Return an array by its name.

    Raises:
        DataError: An array of as many labels differs from that of the pair.
    """
    others = [name for name in names if name != pair.labels and _kind_of_labels(name) == _kind_of_labels(pair.labels)]
    for name in others:
        picked, other = read(pair.labels), read(name)
        if picked.shape[:1] == other.shape[:1] and not np.array_equal(_classes(picked), _classes(other)):
            raise DataError(f"{origin} holds labels in {pair.labels} and in {name}, which differ.", "Keep one of them.")


def _kind_of_labels(name: str) -> list[str] | None:
    """What a name says beside that it holds labels, such as the split; None where it does not say that."""
    words = words_of(name)
    return None if set(words).isdisjoint(LABEL_WORDS) else [word for word in words if word not in LABEL_WORDS]


def _classes(labels: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """One value a label, of one-hot labels the position."""
    return labels.argmax(axis=1) if labels.ndim == 2 and labels.shape[1] > 1 else labels.reshape(-1)


def _entry(path: Path, archive: np.lib.npyio.NpzFile, name: str) -> npt.NDArray[np.generic]:
    assert archive.zip is not None, "np.load opened the archive"
    check_member(archive.zip, name, str(path))
    return np.asarray(archive[name])


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
