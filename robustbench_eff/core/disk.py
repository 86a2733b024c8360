"""Where the cache lies, and what to say when a folder cannot take a file."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import StoreError, UsageError


def cache_folder() -> Path:
    """`ROBUST_EVAL_CACHE`, or `robustbench_eff` in the user's cache folder."""
    if chosen := os.environ.get("ROBUST_EVAL_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "robustbench_eff"


def nearest(folder: Path) -> Path:
    """The folder, or the closest one above it that exists."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())


def free_bytes(folder: Path) -> int:
    """Room on the disk that holds, or would hold, the folder."""
    return shutil.disk_usage(nearest(folder)).free


def reserve(path: Path) -> None:
    """Claim the blocks of a sparse file now: a full disk is an error here, not a crash when it is filled."""
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def atomic_write(path: Path, content: bytes, *, synced: bool = False) -> None:
    """Write a file whole or not at all: to another name first, then renamed over.

    With `synced` it is on the disk when this returns, so that not even a power cut leaves it empty.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with partial.open("xb") as file:
            file.write(content)
            if synced:
                file.flush()
                os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def reporting_os_errors(path: Path) -> Iterator[None]:
    """OSError while a file that the user named is written becomes UsageError."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}.") from error


@contextmanager
def store_errors(folder: Path) -> Iterator[None]:
    """OSError inside becomes StoreError; a full disk is said as such."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreError(
                f"The disk of {folder} is full ({free_bytes(folder) // 2**20} MB free). What was finished is safe.",
                "Make room and repeat the same command: it continues where it stopped.",
            ) from error
        raise StoreError(f"Cannot write to {folder}: {error.strerror or error}.") from error
