"""One writer at a time: a lock of the operating system for a folder, a lease for an object store."""

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

from robustbench_eff.core.disk import store_errors
from robustbench_eff.core.errors import StoreError

from .remote_files import Files

NAME = ".lock"
HEARTBEAT_SECONDS = 10.0
"""Seconds between two signs of life of who holds a lease."""
LEASE_TIMEOUT_SECONDS = 3 * HEARTBEAT_SECONDS
"""After so many without one, its holder was killed."""


@contextmanager
def held(files: Files) -> Iterator[None]:
    """Hold files for writing; StoreError if another process does.

    A folder is free at once when its holder dies. Of an object store the holder shows a sign of life every BEAT
    seconds, and another one waits whether that stops. Two that asked in the same instant may both go on: they then
    compute the same shards twice, and no outcome is lost or changed.
    """
    if files.folder is None:
        with _lease(files):
            yield
        return
    lock = filelock.FileLock(files.folder / NAME, timeout=0)
    with store_errors(files.folder):
        files.folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire()
        except filelock.Timeout as error:
            raise StoreError(*_refused(files, "")) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _lease(files: Files) -> Iterator[None]:
    holder = {"host": platform.node(), "machine": _machine(), "pid": os.getpid(), "token": secrets.token_hex(8)}
    _wait_for_the_last(files, holder)
    ended = threading.Event()

    def show_life() -> None:
        beat = 0
        while not ended.wait(HEARTBEAT_SECONDS):
            beat += 1
            try:
                _write(files, holder | {"beat": beat})
            except StoreError:
                continue  # who writes outcomes will hear of it

    _write(files, holder | {"beat": 0})
    thread = threading.Thread(target=show_life, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        with suppress(StoreError):  # who cannot remove it leaves it to die
            if (found := _read(files)) is not None and found["token"] == holder["token"]:
                files.remove(NAME)


def _wait_for_the_last(files: Files, asking: dict[str, Any]) -> None:
    """Return when nobody holds the lease, or who held it is dead; StoreError when it shows life."""
    first, began = _read(files), time.monotonic()
    while (found := _read(files)) is not None:
        if found["machine"] == asking["machine"] and not _runs(found["pid"]):
            return
        if found != first:
            raise StoreError(*_refused(files, f" ({found['pid']} on {found['host']})"))
        if time.monotonic() - began > LEASE_TIMEOUT_SECONDS:
            return
        time.sleep(HEARTBEAT_SECONDS / 5)


def _refused(files: Files, who: str) -> tuple[str, str]:
    return (
        f"Another process{who} is writing to {files.place}.",
        "Wait for it to end, or give this run its own --store.",
    )


def _machine() -> str:
    """Where a process number means something: this boot of this machine, and within it this space of processes."""
    boot, space = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    known = [boot.read_text().strip(), str(space.stat().st_ino)] if boot.exists() and space.exists() else []
    return " ".join([platform.node(), *known])


def _runs(pid: int) -> bool:
    """Whether there is a process of that number."""
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
        found: dict[str, Any] = json.loads(files.read(NAME))
    except FileNotFoundError:
        return None
    return found
