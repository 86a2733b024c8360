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
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import filelock

from robustbench_eff.core.disk import make_folder, store_errors
from robustbench_eff.core.errors import StoreError
from robustbench_eff.core.outside_files import parse_json

from .remote_files import Files

NAME = ".lock"
"""Name of the lock or lease file."""
HEARTBEAT_SECONDS = 10.0
"""Seconds between two renewals of a lease by its holder."""
LEASE_TIMEOUT_SECONDS = 3 * HEARTBEAT_SECONDS
"""Seconds without a renewal after which the holder of a lease counts as dead."""


class _Holder(NamedTuple):
    """A process that holds a lease, as its file says."""

    host: str
    machine: str
    pid: int
    token: str


@contextmanager
def held(files: Files) -> Iterator[Files]:
    """Lock files for writing while the block runs, and give it the files to write.

    The lock of a folder is released when its holder dies. The holder of a lease in an object store renews it every
    `HEARTBEAT_SECONDS`; another process waits until the renewals stop. Where the backend can write only what does not
    exist, of two processes that want a lease at the same instant one gets it. A holder looks before every change
    whether the lease is still its own: one that was suspended, and finds that another process has taken over, changes
    nothing more. If it is suspended between this look and the change itself, that one change still happens: it is a
    file of outcomes under a name of its own, a record with the same content, or the removal of shards that were merged.

    Args:
        files: Files to lock.

    Raises:
        StoreError: If another process holds the lock, or the disk or object store fails.
    """
    if files.folder is None:
        with _lease(files) as guarded:
            yield guarded
        return
    lock = filelock.FileLock(files.folder / NAME, timeout=0)
    with store_errors(files.folder):
        make_folder(files.folder, synced=True)
        try:
            lock.acquire()
        except filelock.Timeout as error:
            raise _refusal(files) from error
    try:
        yield files
    finally:
        lock.release()


@contextmanager
def _lease(files: Files) -> Iterator[Files]:
    holder = _Holder(platform.node(), _machine(), os.getpid(), secrets.token_hex(8))
    stale = _wait_for_holder(files, holder.machine)
    if stale is not None and _content(files) == stale:
        with suppress(FileNotFoundError):
            files.remove(NAME)
    if not files.create(NAME, _record(holder, 0)):
        raise _refusal(files)
    ended = threading.Event()

    def is_held() -> bool:
        current = _holder(_content(files))
        return current is not None and current.token == holder.token

    def renew() -> None:
        beat = 0
        while not ended.wait(HEARTBEAT_SECONDS):
            beat += 1
            try:
                if is_held():
                    files.write(NAME, _record(holder, beat))
            except StoreError:
                continue  # the write of the next outcomes raises it

    def check() -> None:
        if not is_held():
            raise StoreError(
                f"Another process has taken over {files.place}, because this one has not renewed its lease for "
                f"{LEASE_TIMEOUT_SECONDS:.0f} seconds: it was suspended, or could not reach the object store.",
                "What is stored is safe. When the other process has ended, repeat the same command: it resumes.",
            )

    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield replace(files, before_change=check)
    finally:
        ended.set()
        thread.join()
        with suppress(StoreError, FileNotFoundError):  # a lease that cannot be removed expires
            if is_held():
                files.remove(NAME)


def _wait_for_holder(files: Files, machine: str) -> bytes | None:
    """Return the lease of a dead holder, or None if there is none; raise StoreError if its holder renews it.

    `machine` identifies this machine: a holder on it is dead as soon as its process does not run. A file that is no
    lease has an unknown holder, who may renew it.
    """
    first, began = _content(files), time.monotonic()
    while (current := _content(files)) is not None:
        holder = _holder(current)
        if holder is not None and holder.machine == machine and not _runs(holder.pid):
            return current
        if current != first:
            raise _refusal(files, f" ({holder.pid} on {holder.host})" if holder else "")
        if time.monotonic() - began > LEASE_TIMEOUT_SECONDS:
            return current
        time.sleep(HEARTBEAT_SECONDS / 5)
    return None


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


def _record(holder: _Holder, beat: int) -> bytes:
    return json.dumps(holder._asdict() | {"beat": beat}).encode()


def _content(files: Files) -> bytes | None:
    try:
        return files.read(NAME)
    except FileNotFoundError:
        return None


def _holder(content: bytes | None) -> _Holder | None:
    """Return who holds a lease; None if there is no lease, or its file does not say it."""
    try:
        record = parse_json(content or b"", NAME, StoreError)
    except StoreError:
        return None
    fields: list[Any] = [record.get(name) for name in _Holder._fields] if isinstance(record, dict) else []
    if [type(field) for field in fields] != [str, str, int, str] or not 0 < fields[2] < 2**31:
        return None
    return _Holder(*fields)
