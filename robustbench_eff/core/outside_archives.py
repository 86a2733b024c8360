"""Archives from outside of the package: unpacked up to a limit, so that a small file cannot fill memory or time."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from .errors import DataError, RobustEvalError, reason
from .outside_files import check_file

MAX_UNPACKED_BYTES = 2**30
"""Bytes that an archive with a data set or with trials may unpack to; CIFAR's have 180 MiB."""
MAX_RATIO = 100
"""How many times its own size a file may unpack to where that is more than `MAX_UNPACKED_BYTES`; photos reach 3."""
MAX_FILES = 2_000_000
"""Files and folders of an archive that are listed."""
UNREADABLE = (tarfile.TarError, OSError, EOFError, zlib.error, lzma.LZMAError, ValueError, OverflowError)
"""What Python's readers raise for damaged archives."""
_PACKED: dict[bytes, Callable[[Path], Any]] = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open, b"\xfd7": lzma.open}
"""First bytes of a compressed file, and what unpacks it."""


class ArchivedFile(NamedTuple):
    """A file in an archive."""

    name: str
    """Its path in the archive."""
    content: bytes | None
    """Its bytes; None where they were not asked for."""


def largest_unpacked(packed: int) -> int:
    """Return how many bytes a file may unpack to.

    Args:
        packed: Its size in bytes.
    """
    return max(MAX_UNPACKED_BYTES, MAX_RATIO * packed)


def unpacking_stream(path: Path) -> BinaryIO:
    """Open a file that may be compressed by gzip, bzip2 or xz, which its first bytes tell.

    Args:
        path: The file.
    """
    with path.open("rb") as file:
        start = file.read(2)
    return cast(BinaryIO, _PACKED[start](path) if start in _PACKED else path.open("rb"))


def files_of_tar(
    path: Path, wanted: str | tuple[str, ...], error: type[RobustEvalError] = DataError
) -> Iterator[ArchivedFile]:
    """Yield every file of a tar, which may be compressed; links, folders and devices are left out.

    Args:
        path: The archive.
        wanted: Ends of the names of the files whose content is read.
        error: Class of the error to raise.

    Raises:
        RobustEvalError: Of the class `error`, if it is damaged, unpacks to more than `MAX_UNPACKED_BYTES`, or holds
            more than `MAX_FILES` files.
    """
    check_file(path, error)
    try:
        with unpacking_stream(path) as stream:
            bounded = cast(BinaryIO, _Bounded(stream, path, error))
            with tarfile.open(fileobj=bounded, mode="r:") as archive:
                for number, member in enumerate(members_of(archive)):
                    if number >= MAX_FILES:
                        raise error(f"{path} holds more than {MAX_FILES:,} files.", "Unpack it.")
                    if member.isfile() and not member.issparse():
                        opened = archive.extractfile(member) if member.name.endswith(wanted) else None
                        yield ArchivedFile(member.name, None if opened is None else opened.read())
    except UNREADABLE as failure:
        raise error(f"{path} cannot be read: {reason(failure)}.", "Download it again.") from failure


def members_of(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Yield the members of a tar without keeping them, as `tarfile` does: a million of them take a gigabyte.

    Args:
        archive: The tar, of which nothing was read.
    """
    for member in archive:
        archive.members.clear()  # type: ignore[attr-defined]  # `stream=True` does so from Python 3.13 on
        yield member


class _Bounded:
    """A stream that is read up to a position."""

    def __init__(self, stream: BinaryIO, path: Path, error: type[RobustEvalError]) -> None:
        self._stream, self._path, self._error = stream, path, error

    def read(self, size: int) -> bytes:
        self._check(self._stream.tell() + size)
        return self._stream.read(size)

    def seek(self, position: int) -> int:
        self._check(position)
        return self._stream.seek(position)

    def tell(self) -> int:
        return self._stream.tell()

    def _check(self, position: int) -> None:
        if position > MAX_UNPACKED_BYTES:
            shown = f"{MAX_UNPACKED_BYTES // 2**20:,} MiB"
            raise self._error(f"{self._path} unpacks to more than {shown}.", "Unpack it, and pass the folder.")
