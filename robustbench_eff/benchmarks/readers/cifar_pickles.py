"""The pickles of CIFAR's python version, read without running anything that they name.

Source: https://www.cs.toronto.edu/~kriz/cifar.html, "Dataset layout".
"""

from __future__ import annotations

import io
import pickle
import pickletools
import re
from typing import Any

import numpy as np
import numpy.typing as npt

from robustbench_eff.core.errors import DataError, reason

VALUES = 3 * 32 * 32
"""Number of pixel values of an image."""
PICKLE = b"\x80"
"""First byte of a pickle, in every version that a file of CIFAR has."""


_AGAIN = "Take the file from https://www.cs.toronto.edu/~kriz/cifar.html."
_DAMAGED = (
    *(pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, KeyError, IndexError),
    *(OverflowError, MemoryError, RecursionError, ImportError),
)
"""What Python raises for a damaged pickle."""
_MAX_STEPS = 1_000_000
"""Most steps of a pickle; that of CIFAR-100's training images has 250,000."""
_STEPS = re.compile(
    "PROTO|FRAME|STOP|MARK|POP|POP_MARK|NONE|NEWTRUE|NEWFALSE|INT|BININT[12]?|LONG[14]?|FLOAT|BINFLOAT|STRING|"
    "(SHORT_)?BINSTRING|(SHORT_)?BINBYTES8?|UNICODE|(SHORT_)?BINUNICODE8?|(EMPTY_)?(LIST|DICT)|APPENDS?|SETITEMS?|"
    "(EMPTY_)?TUPLE[123]?|(LONG_)?(BIN)?(GET|PUT)|MEMOIZE|(STACK_)?GLOBAL|REDUCE|BUILD"
)
"""Steps of a pickle that mappings, lists, texts, numbers and arrays need; copies on the stack are not among them."""


def read_pickle(content: bytes) -> dict[str, Any]:
    """Return the entries of a pickled dictionary; empty for a pickle of anything else. Arrays are `PickledArray`.

    Args:
        content: The file.

    Raises:
        DataError: The pickle is damaged, or holds anything but mappings, lists and arrays of numbers.
    """
    _check_steps(content)
    try:
        loaded = _ArrayUnpickler(io.BytesIO(content), encoding="bytes").load()
    except _DAMAGED as error:
        raise DataError(f"A pickle of CIFAR cannot be read: {reason(error)[:200]}.", _AGAIN) from error
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
    if not isinstance(names, list):
        return ()
    if not all(isinstance(name, str | bytes) for name in names):
        raise DataError(f"{key} holds names of classes that are no texts.", _AGAIN)
    return tuple(_decoded(name) for name in names)


def _check_steps(content: bytes) -> None:
    """Refuse a pickle whose reading takes more time or memory than its size: pairs of a pair, places far in memory."""
    tuples: set[int] = set()
    before, stored = "", 0
    try:
        for number, (step, argument, _) in enumerate(pickletools.genops(content)):
            name = step.name
            if number > _MAX_STEPS:
                raise DataError(f"A pickle of CIFAR has more than {_MAX_STEPS:,} steps.", _AGAIN)
            if not _STEPS.fullmatch(name):
                raise DataError(f"A pickle of CIFAR has the step {name}, which no file of CIFAR needs.", _AGAIN)
            if name in ("BINPUT", "LONG_BINPUT", "PUT", "MEMOIZE"):
                place = stored if argument is None else int(argument)
                stored += 1
                if place > len(content):
                    raise DataError("A pickle of CIFAR asks for more memory than any file of CIFAR needs.", _AGAIN)
                if "TUPLE" in before:
                    tuples.add(place)
            elif name in ("BINGET", "LONG_BINGET", "GET") and int(argument or 0) in tuples:
                raise DataError("A pickle of CIFAR uses a tuple twice, which no file of CIFAR needs.", _AGAIN)
            before = name
    except (ValueError, UnicodeError, OverflowError) as error:
        raise DataError(f"A pickle of CIFAR cannot be read: {reason(error)[:200]}.", _AGAIN) from error


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
            case (_, (int(rows), int(columns)), _DType(name="u1" | b"u1" | "|u1"), bool(column_major), bytes(content)):
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
                _AGAIN,
            )
        return _STAND_INS[module, name]
