"""Mutual exclusion of writers: a lock of the operating system for a folder, a lease for an object store."""

from __future__ import annotations

import json
import os
import platform
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import filelock

from robustbench_eff.core.disk import make_folder, store_errors
from robustbench_eff.core.errors import StoreError

from .remote_files import Files

NAME = ".lock"
"""Name of the lock or lease file."""
HEARTBEAT_SECONDS = 10.0
"""Seconds between two renewals of a lease by its holder."""
LEASE_TIMEOUT_SECONDS = 3 * HEARTBEAT_SECONDS
"""Seconds without a renewal after which the holder of a lease counts as dead."""


@contextmanager
def held(files: Files) -> Iterator[None]:
    """Lock files for writing while the block runs.

    The lock of a folder is released when its holder dies. The holder of a lease in an object store renews it every
    `HEARTBEAT_SECONDS`; another process waits until the renewals stop. Two processes that take a lease at the same
    instant may both proceed: they compute the same shards twice, and no outcome is lost or changed.

    Args:
        files: Files to lock.

    Raises:
        StoreError: If another process holds the lock, or the disk or object store fails.
    """
    if files.folder is None:
        with _lease(files):
            yield
        return
    lock = filelock.FileLock(files.folder / NAME, timeout=0)
    with store_errors(files.folder):
        make_folder(files.folder, synced=True)
        try:
            lock.acquire()
        except filelock.Timeout as error:
            raise _refusal(files) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _lease(files: Files) -> Iterator[None]:
    holder = {"host": platform.node(), "machine": _machine(), "pid": os.getpid(), "token": secrets.token_hex(8)}
    _wait_for_holder(files, holder["machine"])
    ended = threading.Event()

    def renew() -> None:
        beat = 0
        while not ended.wait(HEARTBEAT_SECONDS):
            beat += 1
            try:
                _write(files, holder | {"beat": beat})
            except StoreError:
                continue  # the write of the next outcomes raises it

    _write(files, holder | {"beat": 0})
    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        with suppress(StoreError):  # a lease that cannot be removed expires
            if (current := _read(files)) is not None and current["token"] == holder["token"]:
                files.remove(NAME)


def _wait_for_holder(files: Files, machine: Any) -> None:
    """Return once nobody alive holds the lease; raise StoreError if its holder renews it.

    `machine` identifies this machine: a holder on it is dead as soon as its process does not run.
    """
    first, began = _read(files), time.monotonic()
    while (current := _read(files)) is not None:
        if current["machine"] == machine and not _runs(current["pid"]):
            return
        if current != first:
            raise _refusal(files, f" ({current['pid']} on {current['host']})")
        if time.monotonic() - began > LEASE_TIMEOUT_SECONDS:
            return
        time.sleep(HEARTBEAT_SECONDS / 5)


def _refusal(files: Files, holder: str = "") -> StoreError:
    return StoreError(
        f"Another process{holder} is writing to {files.place}.",
        "Wait for it to end, or give this run its own --store.",
    )


def _machine() -> str:
    """Return a name of the space in which process ids are unique: this boot of this machine, and its pid namespace."""
    boot, namespace = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    ids = [boot.read_text().strip(), str(namespace.stat().st_ino)] if boot.exists() and namespace.exists() else []
    return " ".join([platform.node(), *ids])


def _runs(pid: int) -> bool:
    """Return True if a process with this id exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _write(files: Files, record: dict[str, Any]) -> None:
    files.write(NAME, json.dumps(record).encode())


def _read(files: Files) -> dict[str, Any] | None:
    try:
        record: dict[str, Any] = json.loads(files.read(NAME))
    except FileNotFoundError:
        return None
    return record
