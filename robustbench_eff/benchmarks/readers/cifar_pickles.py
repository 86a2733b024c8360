"""The pickles of CIFAR's python version, read without running anything that they name.

Source: https://www.cs.toronto.edu/~kriz/cifar.html, "Dataset layout".
"""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np
import numpy.typing as npt

from robustbench_eff.core.errors import DataError

VALUES = 3 * 32 * 32
"""Number of pixel values of an image."""
PICKLE = b"\x80"
"""First byte of a pickle, in every version that a file of CIFAR has."""


def read_pickle(content: bytes) -> dict[str, Any]:
    """Return the entries of a pickled dictionary; empty for a pickle of anything else. Arrays are `PickledArray`.

    Args:
        content: The file.

    Raises:
        DataError: The pickle names anything but arrays of numbers.
    """
    loaded = _ArrayUnpickler(io.BytesIO(content), encoding="bytes").load()
    return {_decoded(key): value for key, value in loaded.items()} if isinstance(loaded, dict) else {}


def names_in(content: bytes, key: str) -> tuple[str, ...]:
    """Return a list of class names; empty where the pickle has no such entry.

    Args:
        content: The file, such as `batches.meta`.
        key: Name of the entry.

    Raises:
        DataError: The pickle names anything but arrays of numbers.
    """
    names = read_pickle(content).get(key)
    return tuple(_decoded(name) for name in names) if isinstance(names, list) else ()


def _decoded(key: Any) -> str:
    return key.decode("latin1") if isinstance(key, bytes) else str(key)


class _DType:
    """Stand-in for a pickled dtype, of which only the name is read."""

    def __init__(self, name: Any = None, *rest: Any) -> None:
        del rest
        self.name = name

    def __setstate__(self, state: Any) -> None:
        del state


class PickledArray:
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


def _reconstructed(*arguments: Any) -> PickledArray:
    del arguments
    return PickledArray()


def _encoded(text: str, encoding: str) -> bytes:
    """Return the bytes that Python 3 pickles as text for readers of Python 2."""
    del encoding
    return text.encode("latin1")


_STAND_INS = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstructed,
    ("numpy._core.multiarray", "_reconstruct"): _reconstructed,
    ("numpy", "ndarray"): PickledArray,
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
