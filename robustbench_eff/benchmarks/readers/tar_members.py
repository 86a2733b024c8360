"""Files in an uncompressed tar, read where they lie: nothing is unpacked, and several threads may read at once."""

from __future__ import annotations

import tarfile
from collections import Counter
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from robustbench_eff.core.errors import DataError, reason
from robustbench_eff.core.outside_archives import MAX_FILES, UNREADABLE, members_of
from robustbench_eff.core.outside_files import check_file

_LOOKED_AT = 100_000
"""Members of a tar that are looked at to tell what it holds: links and folders count, too."""
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
            return [member.name for member in islice(filter(_counts, islice(archive, _LOOKED_AT)), count)]
    except UNREADABLE:
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
        DataError: The tar is damaged or cut short, or holds more than `MAX_FILES` files, a file twice, a sparse one, or
            one that leads out of it.
    """
    check_file(path)
    found = Contents([], [])
    try:
        with tarfile.open(path, "r:") as archive:
            for number, member in enumerate(members_of(archive)):
                _check_member(path, member, number)
                if member.isfile():
                    found.files.append(Member(member.name, member.offset_data, member.size))
                elif member.isdir():
                    found.folders.append(member.name)
    except UNREADABLE as error:
        raise DataError(f"{path} cannot be read: {reason(error)}.", "Download it again.") from error
    counts = Counter(member.name for member in found.files)
    if counts and (most := counts.most_common(1)[0])[1] > 1:
        raise DataError(f"{path} holds {most[0]} twice.", "Pack it again, with every file once.")
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _END))
        if file.read().strip(b"\0"):
            raise DataError(f"{path} is cut short after {len(found.files)} files.", "Download it again.")
    return found


def _check_member(path: Path, member: tarfile.TarInfo, number: int) -> None:
    if number >= MAX_FILES:
        raise DataError(f"{path} holds more than {MAX_FILES:,} files.", "Unpack it, and pass the folder.")
    if member.issparse():
        raise DataError(f"{path}: {member.name} is a sparse file.", "Pack it again without --sparse.")
    if member.isfile() and (member.name.startswith("/") or ".." in PurePosixPath(member.name).parts):
        raise DataError(f"{path}: {member.name[:200]} leads out of the archive.", "Pack it again from its own folder.")


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
