"""A file that the user named as the place of a result: what stood there stays until the new content is complete."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterable
from pathlib import Path

from .disk import replacing, reporting_os_errors, reserve
from .errors import UsageError

NO_NEW_FILE = (errno.EACCES, errno.EPERM, errno.EROFS)
"""What the system says of a folder that lets no file be created or replaced."""


def write_result(path: Path, content: bytes) -> None:
    """Write a file completely or not at all.

    The target of a link is written and the link stays; so do permissions and owner. A pipe or a device takes the
    content as it comes. In a folder that no file may be added to, a file that may be written is overwritten in its
    place, after the space that it needs is reserved.

    Args:
        path: The file; its folder exists.
        content: The whole content.

    Raises:
        UsageError: The file cannot be written.
    """
    with reporting_os_errors(path):
        there = _status(path)
        if there is not None and (_written_to_stdout(there, content) or _written_to_device(path, there, content)):
            return
        target = Path(os.path.realpath(path))
        if not target.parent.is_dir():
            raise UsageError(f"{path} cannot be written: {target.parent} is not a folder.", "Create the folder first.")
        if there is not None and not os.access(target, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        try:
            _replace(target, there, content)
        except OSError as error:
            if there is None or error.errno not in NO_NEW_FILE:
                raise
            _overwrite(target, there.st_size, content)


def refuse_to_overwrite(out: Path | None, others: Iterable[Path | str | None]) -> None:
    """Refuse a place for a result where another file of the same command lies.

    Args:
        out: File or folder that would be written; None is passed over.
        others: Files that are read or written, folders that are written, and folders whose `.json` files are read;
            addresses and None are passed over.

    Raises:
        UsageError: They are the same.
    """
    for other in others:
        if out is None or other is None:
            continue
        place, used = Path(os.path.realpath(out)), Path(os.path.realpath(other))
        if place == used or (place.parent == used and place.suffix == ".json"):
            raise UsageError(f"{out} is among the files that this command uses.", "Write to another place.")


def _status(path: Path) -> os.stat_result | None:
    """What stands there, behind all links; None for nothing."""
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _written_to_stdout(there: os.stat_result, content: bytes) -> bool:
    """Write behind what this process has printed, if the file is where it prints to (`--out /dev/stdout > FILE`)."""
    descriptor = next((number for number in (1, 2) if _is_open_as(number, there)), None)
    if descriptor is None:
        return False
    sys.stdout.flush()
    with open(descriptor, "wb", closefd=False) as file:
        file.write(content)
    return True


def _is_open_as(descriptor: int, there: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), there)
    except OSError:  # the process was started without this stream
        return False


def _written_to_device(path: Path, there: os.stat_result, content: bytes) -> bool:
    if stat.S_ISREG(there.st_mode):
        return False
    with path.open("wb") as file:  # refuses a folder
        file.write(content)
    return True


def _replace(target: Path, there: os.stat_result | None, content: bytes) -> None:
    with replacing(target) as file:
        file.write(content)
        if there is not None:
            made = os.fstat(file.fileno())
            if (made.st_uid, made.st_gid) != (there.st_uid, there.st_gid):
                os.fchown(file.fileno(), there.st_uid, there.st_gid)


def _overwrite(target: Path, size: int, content: bytes) -> None:
    """Overwrite a file that cannot be replaced; a full disk is found out before its content is touched."""
    with target.open("r+b") as file:
        try:
            reserve(file.fileno(), max(size, len(content), 1))
        except OSError:
            file.truncate(size)
            raise
        file.write(content)
        file.truncate()
