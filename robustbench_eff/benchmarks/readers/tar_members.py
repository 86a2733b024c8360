"""Files in an uncompressed tar, read where they lie: nothing is unpacked, and several threads may read at once."""

from __future__ import annotations

import tarfile
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from robustbench_eff.core.errors import DataError

_END = 1024
"""Bytes of zeros at the end of a whole tar."""


class Member(NamedTuple):
    """A file in a tar."""

    name: str
    """Its path in the tar."""
    offset: int
    """Position of its first byte."""
    size: int
    """Number of its bytes."""


def first_files(path: Path, count: int = 8) -> list[str]:
    """Return the names of the first files in a tar; empty where the path is no uncompressed tar.

    Args:
        path: Any path.
        count: Number of files to name.
    """
    if path.suffix != ".tar" or not path.is_file():
        return []
    try:
        with tarfile.open(path, "r:") as archive:
            return [member.name for member in islice(filter(_counts, archive), count)]
    except (tarfile.TarError, OSError):
        return []


def members(path: Path) -> list[Member]:
    """Return all files in a tar, in its order, without the side files that macOS adds.

    Args:
        path: An uncompressed tar.

    Raises:
        DataError: The tar is cut short.
    """
    return [member for member in contents(path).files if not _is_side_file(member.name)]


class Contents(NamedTuple):
    """What a tar holds."""

    files: list[Member]
    """All files, in its order."""
    folders: list[str]
    """The folders that it lists; a tar need not list those that hold files."""


def contents(path: Path) -> Contents:
    """Return all files and folders in a tar.

    Args:
        path: An uncompressed tar.

    Raises:
        DataError: The tar is cut short.
    """
    found = Contents([], [])
    with tarfile.open(path, "r:") as archive:
        for member in archive:
            if member.isfile():
                found.files.append(Member(member.name, member.offset_data, member.size))
            elif member.isdir():
                found.folders.append(member.name)
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _END))
        if file.read().strip(b"\0"):
            raise DataError(f"{path} is cut short after {len(found.files)} files.", "Download it again.")
    return found


def read_member(path: Path, member: Member) -> bytes:
    """Return the content of a file in a tar.

    Args:
        path: The tar.
        member: One of its `members`.
    """
    with path.open("rb") as file:
        file.seek(member.offset)
        return file.read(member.size)


def _counts(member: tarfile.TarInfo) -> bool:
    """False for folders and links, and for the side files that macOS adds."""
    return member.isfile() and not _is_side_file(member.name)


def _is_side_file(name: str) -> bool:
    return PurePosixPath(name).name.startswith("._")
