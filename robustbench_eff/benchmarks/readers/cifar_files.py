"""Reader of CIFAR-10 and CIFAR-100 as their authors publish them: binary files, and pickles of the python version.

Source: https://www.cs.toronto.edu/~kriz/cifar.html, "Dataset layout".
"""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from robustbench_eff.core.errors import DataError

from ..labelled_images import LabelledImages, file_stamp
from ..reader import Reader

TESTS = ("test_batch.bin", "test.bin", "test_batch", "test")
"""Names of the file with the test images."""
BATCH = re.compile(r"(test_batch|data_batch_[1-5]|test|train)(\.bin)?")
"""Names of all files with images."""
VALUES = 3 * 32 * 32
"""Number of pixel values of an image."""
LABEL_BYTES = {VALUES + 1: 1, VALUES + 2: 2}
"""Number of label bytes by size of a record: CIFAR-100 has the coarse class before the fine class."""
LABEL_KEYS = ("labels", "fine_labels")
"""Names of the labels in a pickle, of CIFAR-10 and CIFAR-100."""


class Batch(NamedTuple):
    """The content of a published file."""

    pixels: npt.NDArray[np.uint8]
    """uint8 (N, 3072): all red values of an image, then all green, then all blue."""
    labels: list[int]
    """Class index of every image; for CIFAR-100 the fine class."""
    is_cifar100: bool
    """True for CIFAR-100, False for CIFAR-10."""


def find_batch(path: Path) -> Path | None:
    """Return a published file, or the test images of an unpacked folder; None for any other path.

    Args:
        path: A file or folder.
    """
    if path.is_dir():
        return next((path / name for name in TESTS if (path / name).is_file()), None)
    return path if path.is_file() and BATCH.fullmatch(path.name) else None


def open_batch(batch: Path, split: str = "local files") -> LabelledImages:
    """Read the images of a published file.

    Args:
        batch: The file.
        split: What the file holds, for the protocol: `test`, or `local files` where that is unknown.

    Raises:
        DataError: The file holds anything but images and labels of CIFAR.
    """
    pixels, labels, is_cifar100 = _binary(batch) if batch.suffix == ".bin" else _pickled(batch)
    images = pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return LabelledImages(
        origin=str(batch),
        ids=[f"{row:08d}" for row in range(len(images))],
        labels=labels,
        read=lambda position: np.ascontiguousarray(images[position]),
        stamp=file_stamp(batch),
        split=f"{split} of CIFAR-{100 if is_cifar100 else 10}",
    )


def _binary(batch: Path) -> Batch:
    """Read records of one or two label bytes and 3,072 pixel values."""
    content = np.frombuffer(batch.read_bytes(), np.uint8)
    sizes = [size for size in LABEL_BYTES if len(content) and len(content) % size == 0]
    if len(sizes) != 1:
        raise DataError(
            f"{batch} holds {len(content)} bytes, which is not a whole number of CIFAR's records.",
            "Check that the file is complete.",
        )
    records = content.reshape(-1, sizes[0])
    num_label_bytes = LABEL_BYTES[sizes[0]]
    return Batch(
        pixels=records[:, num_label_bytes:],
        labels=records[:, num_label_bytes - 1].tolist(),
        is_cifar100=num_label_bytes > 1,
    )


def _pickled(batch: Path) -> Batch:
    with batch.open("rb") as file:
        content = _ArrayUnpickler(file, encoding="bytes").load()
    entries = {_decoded(key): value for key, value in content.items()} if isinstance(content, dict) else {}
    data = entries.get("data")
    labels = next((entries[key] for key in LABEL_KEYS if key in entries), None)
    if not isinstance(data, _Array) or not isinstance(labels, list):
        raise DataError(
            f"{batch} does not hold the data and labels of CIFAR.", "Pass the test batch of the python version."
        )
    pixels = data.pixels()
    if pixels is None or len(pixels) != len(labels):
        raise DataError(
            f"{batch}: CIFAR's data is uint8 of shape (labels, {VALUES}).", "Check that it is the published file."
        )
    return Batch(pixels, labels, is_cifar100="fine_labels" in entries)


def _decoded(key: Any) -> str:
    return key.decode("latin1") if isinstance(key, bytes) else str(key)


class _DType:
    """Stand-in for a pickled dtype, of which only the name is read."""

    def __init__(self, name: Any = None, *rest: Any) -> None:
        del rest
        self.name = name

    def __setstate__(self, state: Any) -> None:
        del state


class _Array:
    """Stand-in for a pickled array."""

    def __init__(self) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def pixels(self) -> npt.NDArray[np.uint8] | None:
        """Return uint8 (N, 3072), or None for any other array."""
        match self.state:
            case (_, (rows, columns), _DType(name="u1" | b"u1" | "|u1"), bool(column_major), bytes(content)):
                if columns == VALUES and len(content) == rows * VALUES:
                    flat = np.frombuffer(content, np.uint8)
                    return flat.reshape(VALUES, rows).T if column_major else flat.reshape(rows, VALUES)
        return None


def _reconstructed(*arguments: Any) -> _Array:
    del arguments
    return _Array()


def _encoded(text: str, encoding: str) -> bytes:
    """Return the bytes that Python 3 pickles as text for readers of Python 2."""
    del encoding
    return text.encode("latin1")


_STAND_INS = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstructed,
    ("numpy._core.multiarray", "_reconstruct"): _reconstructed,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _DType,
    ("_codecs", "encode"): _encoded,
}


class _ArrayUnpickler(pickle.Unpickler):
    """Reads numbers, texts, lists and arrays of numbers; every other name in a pickle is an error.

    A pickle can name any function and have it called, so no name is ever imported: known names are replaced by
    harmless stand-ins.
    """

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _STAND_INS:
            raise DataError(
                f"The pickle asks for {module}.{name}, which no file of CIFAR needs; nothing of it was run.",
                "Take the file from https://www.cs.toronto.edu/~kriz/cifar.html.",
            )
        return _STAND_INS[module, name]


def _open(path: Path, split: str) -> LabelledImages:
    del split  # a folder is opened for its test images, and a file holds one split
    batch = find_batch(path)
    assert batch is not None, f"{path} is not understood"
    return open_batch(batch, "test" if path.is_dir() else "local files")


CIFAR_FILES = Reader(understands=lambda path: find_batch(path) is not None, open=_open)
