"""Locks between the processes of a machine: what all need is made by one, while the others wait."""

from __future__ import annotations

import errno
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from robustbench_eff.core.errors import RobustEvalWarning

WAIT_SECONDS = 10.0
"""Seconds after which the user is told that another process is waited for."""
_WITHOUT_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL}
"""Error numbers of a file system without locks."""


@contextmanager
def alone(path: Path, what: str) -> Iterator[None]:
    """Hold a lock, however long another process holds it. On a file system without locks, nobody waits.

    Args:
        path: File of the lock, which is made.
        what: What another process does meanwhile, for the note that it is waited for.

    Raises:
        OSError: The file cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(path)
    is_locked = _wait_for(lock, what)
    try:
        yield
    finally:
        if is_locked:
            lock.release()


def _wait_for(lock: filelock.BaseFileLock, what: str) -> bool:
    """Take a lock, and return True; False where there are none."""
    try:
        try:
            lock.acquire(timeout=WAIT_SECONDS)
        except filelock.Timeout:
            warnings.warn(f"Another process {what}; waiting for it.", RobustEvalWarning, 2)
            lock.acquire(timeout=-1)
    except NotImplementedError:
        return False
    except OSError as error:
        if error.errno not in _WITHOUT_LOCKS:
            raise
        return False
    return True
