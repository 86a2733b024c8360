"""CIFAR-10 and CIFAR-100 as their authors publish them: the binary version, and the pickles of the python version.

Source: https://www.cs.toronto.edu/~kriz/cifar.html, "Dataset layout".
"""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from robustbench_eff.core.errors import DataError

from ..labelled_images import LabelledImages, file_stamp

TESTS = ("test_batch.bin", "test.bin", "test_batch", "test")
BATCH = re.compile(r"(test_batch|data_batch_[1-5]|test|train)(\.bin)?")
VALUES = 3 * 32 * 32
LABEL_BYTES = {VALUES + 1: 1, VALUES + 2: 2}
"""Of a record by its size: CIFAR-100 has the coarse class before the fine one."""
LABEL_KEYS = ("labels", "fine_labels")


def find_batch(path: Path) -> Path | None:
    """The file itself, or the test images of an unpacked folder; None where it is something else."""
    if path.is_dir():
        return next((path / name for name in TESTS if (path / name).is_file()), None)
    return path if path.is_file() and BATCH.fullmatch(path.name) else None


def open_batch(batch: Path, split: str = "local files") -> LabelledImages:
    """The images of a published file; DataError for one that holds anything else."""
    pixels, labels, of_100 = _binary(batch) if batch.suffix == ".bin" else _pickled(batch)
    images = pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return LabelledImages(
        origin=str(batch),
        ids=[f"{row:08d}" for row in range(len(images))],
        labels=labels,
        read=lambda position: np.ascontiguousarray(images[position]),
        stamp=file_stamp(batch),
        split=f"{split} of CIFAR-{100 if of_100 else 10}",
    )


def _binary(batch: Path) -> tuple[npt.NDArray[np.uint8], list[int], bool]:
    """Pixels, labels, and whether they are of CIFAR-100.

    Records have one or two bytes for the labels and 3,072 for the values, red before green before blue.
    """
    content = np.frombuffer(batch.read_bytes(), np.uint8)
    fitting = [size for size in LABEL_BYTES if len(content) and len(content) % size == 0]
    if len(fitting) != 1:
        raise DataError(f"{batch} holds {len(content)} bytes, no whole number of CIFAR's records.", "Is it cut short?")
    records = content.reshape(-1, fitting[0])
    before = LABEL_BYTES[fitting[0]]
    return records[:, before:], records[:, before - 1].tolist(), before > 1


def _pickled(batch: Path) -> tuple[npt.NDArray[np.uint8], list[int], bool]:
    """The same."""
    with batch.open("rb") as file:
        found = _OnlyArrays(file, encoding="bytes").load()
    entries = {_text(key): value for key, value in found.items()} if isinstance(found, dict) else {}
    data = entries.get("data")
    labels = next((entries[key] for key in LABEL_KEYS if key in entries), None)
    if not isinstance(data, _Array) or not isinstance(labels, list):
        raise DataError(f"{batch} has no data and labels of CIFAR.", "Give the test batch of the python version.")
    pixels = data.pixels()
    if pixels is None or len(pixels) != len(labels):
        raise DataError(f"{batch}: CIFAR's data is uint8 of shape (labels, {VALUES}).", "Is it the published file?")
    return pixels, labels, "fine_labels" in entries


def _text(key: Any) -> str:
    return key.decode("latin1") if isinstance(key, bytes) else str(key)


class _Kind:
    """Stands for a pickled dtype, of which only the name is looked at."""

    def __init__(self, name: Any = None, *rest: Any) -> None:
        del rest
        self.name = name

    def __setstate__(self, state: Any) -> None:
        del state


class _Array:
    """Stands for a pickled array."""

    def __init__(self) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def pixels(self) -> npt.NDArray[np.uint8] | None:
        """uint8 (N, 3072), or None for any other array."""
        match self.state:
            case (_, (rows, columns), _Kind(name="u1" | b"u1" | "|u1"), bool(by_columns), bytes(content)):
                if columns == VALUES and len(content) == rows * VALUES:
                    flat = np.frombuffer(content, np.uint8)
                    return flat.reshape(VALUES, rows).T if by_columns else flat.reshape(rows, VALUES)
        return None


def _rebuilt(*arguments: Any) -> _Array:
    del arguments
    return _Array()


def _encoded(text: str, encoding: str) -> bytes:
    """What Python 3 writes in place of bytes for readers of Python 2."""
    del encoding
    return text.encode("latin1")


_STANDS_FOR = {
    ("numpy.core.multiarray", "_reconstruct"): _rebuilt,
    ("numpy._core.multiarray", "_reconstruct"): _rebuilt,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Kind,
    ("_codecs", "encode"): _encoded,
}


class _OnlyArrays(pickle.Unpickler):
    """Reads numbers, texts, lists and arrays of numbers; every name in a pickle stands for something harmless here.

    A pickle can name any function and have it called, so nothing that it names is ever looked up.
    """

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _STANDS_FOR:
            raise DataError(
                f"The pickle asks for {module}.{name}, which no file of CIFAR needs; nothing of it was run.",
                "Take the file from https://www.cs.toronto.edu/~kriz/cifar.html.",
            )
        return _STANDS_FOR[module, name]
