"""The headers of NumPy's arrays, checked before anything is allocated: a header may declare any shape."""

from __future__ import annotations

import math
import tokenize
import zipfile
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import numpy.typing as npt

from robustbench_eff.core.errors import DataError, reason
from robustbench_eff.core.outside_archives import largest_unpacked
from robustbench_eff.core.outside_files import check_file

from .placeholder import refuse_placeholder

_DAMAGED = (
    ValueError,
    SyntaxError,
    tokenize.TokenError,
    TypeError,
    RecursionError,
    MemoryError,
    OverflowError,
    EOFError,
)
"""What NumPy raises for a damaged header."""


class NpyHeader(NamedTuple):
    """What an array says about itself."""

    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype[np.generic]


def read_header(file: IO[bytes], origin: str, size: int) -> NpyHeader:
    """Read the header of an array; what follows are its values.

    Args:
        file: The array, from its beginning.
        origin: Where it is, for messages.
        size: Number of its bytes, with the header.

    Raises:
        DataError: It is damaged, is of Python objects, or declares more or fewer values than there are.
    """
    try:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        header = NpyHeader(*read(file))
    except _DAMAGED as error:
        raise DataError(
            f"{origin} is not an array of NumPy: {reason(error)[:200]}.", "Save it with np.save."
        ) from error
    if header.dtype.hasobject:
        raise objects_refused(origin)
    declared, held = math.prod(header.shape) * header.dtype.itemsize, size - file.tell()
    if min(header.shape, default=0) < 0 or declared != held:
        raise DataError(
            f"{origin} declares {declared:,} bytes, and holds {held:,}.", "Check that the file is complete."
        )
    return header


def open_array(path: Path) -> npt.NDArray[np.generic]:
    """Return the array of a file without reading its values.

    Args:
        path: A `.npy` file.

    Raises:
        DataError: It is no regular file, or `read_header` refuses it.
    """
    check_file(path)
    refuse_placeholder(path)
    with path.open("rb") as file:
        header = read_header(file, str(path), path.stat().st_size)
    if not math.prod(header.shape):  # nothing can be mapped
        return np.empty(header.shape, header.dtype)
    return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))


def check_member(archive: zipfile.ZipFile, name: str, origin: str) -> NpyHeader:
    """Return the header of an array of an archive that can be unpacked.

    Args:
        archive: The archive.
        name: Name of the array, without `.npy`.
        origin: The archive, for messages.

    Raises:
        DataError: The array is missing, encrypted, or there twice; unpacks to far more than the archive has; or
            `read_header` refuses it.
    """
    found = [member for member in archive.infolist() if member.filename == f"{name}.npy"]
    if len(found) != 1:
        what = "is not an array of NumPy" if not found else "is in it twice"
        raise DataError(f"{origin}: {name} {what}.", "Save it with np.savez.")
    if found[0].flag_bits & 1:
        raise DataError(f"{origin} is encrypted.", "Save it without a password.")
    size = found[0].file_size
    if size > (most := largest_unpacked(found[0].compress_size)):
        raise DataError(
            f"{origin}: {name} unpacks to {size // 2**20:,} MiB, {size // max(found[0].compress_size, 1):,} times its "
            f"size; at most {most // 2**20:,} MiB are read.",
            "If it is right, save it with np.savez instead of np.savez_compressed.",
        )
    with archive.open(found[0]) as member:
        return read_header(member, f"{origin}: {name}", size)


def objects_refused(origin: str) -> DataError:
    """Return the error for an array of Python objects, which could run code when they are read.

    Args:
        origin: The array, for the message.
    """
    return DataError(
        f"{origin} holds pickled Python objects, which can run code; nothing of it was read.",
        "Store arrays of numbers.",
    )
