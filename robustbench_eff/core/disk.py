"""The cache folder, atomic writes, and clear errors when a disk is full or not writable."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from .errors import StoreError, StoreUnavailable, UsageError

OTHER_CACHE = "Set ROBUST_EVAL_CACHE to another folder."
"""What to do about a cache that cannot be used."""

FULL = (errno.ENOSPC, errno.EDQUOT)
"""What the system says when a disk is full, or a user's share of it."""


def cache_folder() -> Path:
    """Return `ROBUST_EVAL_CACHE`, or by default `robustbench_eff` in the user's cache folder.

    Raises:
        UsageError: The user has no home folder, and named no other one.
    """
    try:
        if folder := os.environ.get("ROBUST_EVAL_CACHE"):
            return Path(folder).expanduser()
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "robustbench_eff"
    except RuntimeError as error:  # the user id of a container may have no home
        raise UsageError(
            f"The folder of the cache is unknown: {error}", "Set ROBUST_EVAL_CACHE to a folder."
        ) from error


def nearest(folder: Path) -> Path:
    """Return a folder, or the closest one above it that exists.

    Args:
        folder: Folder that may not exist yet.
    """
    return next(path for path in (folder, *folder.absolute().parents) if _exists(path))


def _exists(path: Path) -> bool:
    """Whether a path can be seen: what lies in a folder without permission cannot."""
    try:
        return path.exists()
    except PermissionError:
        return False


def free_bytes(folder: Path) -> int:
    """Return the free space, in bytes, on the disk that holds or would hold a folder.

    Args:
        folder: Folder that may not exist yet.
    """
    return shutil.disk_usage(nearest(folder)).free


def reserve(descriptor: int, num_bytes: int) -> None:
    """Allocate the blocks of a file, so that a full disk shows before the work begins; not all file systems can.

    Args:
        descriptor: The file, open for writing.
        num_bytes: Its later size, at least 1.

    Raises:
        OSError: The disk is full.
    """
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(descriptor, 0, num_bytes)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
                raise


@contextmanager
def replacing(path: Path, *, synced: bool = False) -> Iterator[BinaryIO]:
    """Give a file to write to, which takes the name and the permissions of another when the `with` block succeeds.

    Args:
        path: File to replace or to create; what stands there stays as it is if the block fails or is interrupted.
        synced: Wait until the content and the name are on the disk, so that they survive a power cut.
    """
    partial = path.with_name(f".{path.name[:50]}.{secrets.token_hex(4)}.part")
    try:
        with partial.open("xb") as file:
            yield file
            _keep_permissions(file.fileno(), path)
            if synced:
                file.flush()
                os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    if synced:
        sync_folder(path.parent)


def _keep_permissions(descriptor: int, path: Path) -> None:
    with suppress(FileNotFoundError):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode != stat.S_IMODE(os.fstat(descriptor).st_mode):
            os.fchmod(descriptor, mode)


def atomic_write(path: Path, content: bytes, *, synced: bool = False) -> None:
    """Write a file completely or not at all: under another name first, then renamed.

    Args:
        path: File to write; missing folders are created.
        content: The whole content.
        synced: Wait until the content and the name are on the disk: after a power cut the file is there, and complete.
            What is written or removed later never survives without it.
    """
    make_folder(path.parent, synced=synced)
    with replacing(path, synced=synced) as file:
        file.write(content)


def make_folder(folder: Path, *, synced: bool = False) -> None:
    """Make a folder, and those above it, where they are missing.

    Args:
        folder: Folder that may exist.
        synced: Wait until the new names are on the disk.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    if synced:
        for path in made:
            sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Wait until the names of a folder's files are on the disk, where the system can be asked for that.

    Args:
        folder: Existing folder.
    """
    if os.name == "nt":
        return  # a folder cannot be opened there, and renaming is synchronous
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems have nothing to synchronize
            raise
    finally:
        os.close(descriptor)


@contextmanager
def reporting_os_errors(path: Path) -> Iterator[None]:
    """Turn an OSError within a `with` block that writes a user's file into a UsageError.

    Args:
        path: File to name in the message.

    Raises:
        UsageError: The file cannot be written.
    """
    try:
        yield
    except OSError as error:
        hint = "Free some space, or write to another disk." if error.errno in FULL else "Write to another place."
        raise UsageError(f"{path} cannot be written: {error.strerror or error}.", hint) from error


@contextmanager
def store_errors(folder: Path, hint: str = "") -> Iterator[None]:
    """Turn an OSError within a `with` block into a StoreError.

    Args:
        folder: Folder to name in the message.
        hint: What to do where the disk is not full, for a folder that is needed before the work begins.

    Raises:
        StoreError: The folder cannot be written; the message distinguishes a full disk.
        StoreUnavailable: It cannot be written, and there is a hint.
    """
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise StoreError(
                f"The disk of {folder} is full ({free_bytes(folder) // 2**20} MB free). All finished results are safe.",
                "Free some space and repeat the same command: it resumes.",
            ) from error
        kind = StoreUnavailable if hint else StoreError
        raise kind(f"Cannot write to {folder}: {error.strerror or error}.", hint) from error
