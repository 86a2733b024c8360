"""Locks between the processes of a machine: what all need is made by one, while the others wait."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from robustbench_eff.core.errors import RobustEvalWarning

WAIT_SECONDS = 10.0
"""Seconds after which the user is told that another process is waited for."""


@contextmanager
def alone(path: Path, what: str) -> Iterator[None]:
    """Hold a lock, however long another process holds it.

    Args:
        path: File of the lock, which is made.
        what: What another process does meanwhile, for the note that it is waited for.

    Raises:
        OSError: The file cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=WAIT_SECONDS)
    except filelock.Timeout:
        warnings.warn(f"Another process {what}; waiting for it.", RobustEvalWarning, 2)
        lock.acquire(timeout=-1)
    try:
        yield
    finally:
        lock.release()
