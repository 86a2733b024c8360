"""A file of the cache while it is written: its process holds a lock, and what a dead process left is removed."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from robustbench_eff.system.locks import alone

ABANDONED_SECONDS = 7 * 24 * 3600
"""Age of a file that no lock belongs to, as earlier versions left them, after which nobody writes it any more."""
_SUFFIX = ".part"


@contextmanager
def unfinished(folder: Path, name: str) -> Iterator[Path]:
    """Give a path to write to, alone among the processes that write the same; it is deleted unless it was renamed.

    Files of that kind whose processes ended before they were finished are deleted, too. Where the file system has no
    locks, processes may write the same at a time, each to a path of its own, and nothing is known to be left over.

    Args:
        folder: Folder of the file, which is made where it does not exist.
        name: What is written, the same for all processes that write it.

    Raises:
        OSError: The folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _delete_abandoned(folder)
    with alone(_lock_of(folder, name), f"decodes the same images into {folder}"):
        path = folder / f".{name}.{secrets.token_hex(4)}{_SUFFIX}"
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)


def _lock_of(folder: Path, name: str) -> Path:
    return folder / f".{name}.lock"


def _delete_abandoned(folder: Path) -> None:
    for path in folder.glob(f".*{_SUFFIX}"):
        lock = _lock_of(folder, path.name[1:].partition(".")[0])
        try:
            if lock.exists():
                with filelock.FileLock(lock).acquire(timeout=0):
                    path.unlink(missing_ok=True)
            elif time.time() - path.stat().st_mtime > ABANDONED_SECONDS:
                path.unlink(missing_ok=True)
        except (OSError, NotImplementedError):
            continue  # it is being written (`Timeout` is an OSError), belongs to another user, or cannot be locked
