"""Where outcomes live: Parquet shards written whole or not at all, found again by content.

STORE/cells/<cell id>/cell.json                                what the cell is
STORE/cells/<cell id>/<start>-<stop>.<checksum>.parquet        its outcomes; of a finished cell all in one file
STORE/runs/<time>-<id>.json                                    each run: command, versions, device, time
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import re
import secrets
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import filelock
import pyarrow as pa
import pyarrow.parquet as pq

from robustbench_eff.disk import nearest, writing
from robustbench_eff.errors import RobustEvalWarning, StoreError, StoreUnavailable, UsageError
from robustbench_eff.outcomes import SCHEMA, concatenate

_NAME = re.compile(r"(\d{8,})-(\d{8,})\.([0-9a-f]{16})\.parquet")
_FORMAT = 4


class _Name(NamedTuple):
    """What the name of a shard's file says."""

    path: Path
    start: int
    stop: int
    checksum: str

    @property
    def samples(self) -> str:
        return f"samples {self.start} to {self.stop}"


class Store:
    """A folder of outcomes. Reading needs nothing; writing needs `lock()`."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)

    @classmethod
    def existing(cls, folder: Path | str) -> Store:
        """A store that must be there already; UsageError if it is not."""
        store = cls(folder)
        if not (store.folder / "store.json").is_file():
            raise UsageError(
                f"{folder} is not a store of outcomes.", "Give the folder that a run printed as its store."
            )
        store._check_format()
        return store

    def check_writable(self) -> None:
        """Raise StoreUnavailable if it could not be written now; leaves no trace where there is no store yet."""
        above = nearest(self.folder)
        if not (above.is_dir() and os.access(above, os.W_OK)):
            raise StoreUnavailable(f"Cannot write to {self.folder}: {above} is not a folder one may write to.")
        if self.folder.exists():
            try:
                with self.lock():
                    return
            except StoreError as error:
                raise StoreUnavailable(error.message, error.hint) from error

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the store for writing; StoreError at once if another process holds it."""
        lock = filelock.FileLock(self.folder / ".lock", timeout=0)
        with writing(self.folder):
            (self.folder / "cells").mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire()
            except filelock.Timeout as error:
                raise StoreError(
                    f"Another process is writing to {self.folder}.",
                    "Wait for it to end, or give this run its own --store.",
                ) from error
        try:
            self._check_format()
            yield
        finally:
            lock.release()

    def write_cell(self, cell_id: str, cell: dict[str, Any]) -> None:
        """Record what a cell is; the first record stays."""
        path = self.folder / "cells" / cell_id / "cell.json"
        if not path.exists():
            self._write(path, json.dumps(cell, indent=2, default=str).encode())

    def write_shard(self, cell_id: str, start: int, stop: int, outcomes: pa.Table) -> Path:
        """Add the outcomes of samples `start` to `stop`, atomically, and say where; the checksum is in the name."""
        buffer = io.BytesIO()
        pq.write_table(outcomes, buffer, compression="zstd")
        content = buffer.getvalue()
        path = self.folder / "cells" / cell_id / f"{start:08d}-{stop:08d}.{_checksum(content)}.parquet"
        self._write(path, content)
        return path

    def unite(self, cell_id: str) -> None:
        """Make one file of the shards of a finished cell: a whole store is then read in seconds."""
        names = self._names(cell_id)
        if len(names) < 2:
            return
        outcomes = _joined(self._read(names), SCHEMA.names)
        if outcomes.num_rows < max(name.stop for name in names):
            return  # one is corrupt
        whole = self.write_shard(cell_id, 0, outcomes.num_rows, outcomes)
        for name in names:
            if name.path != whole:
                name.path.unlink()

    def write_picture(self, cell_id: str, png: bytes) -> None:
        """Keep a picture of a cell's successes; the first one stays."""
        path = self.folder / "cells" / cell_id / "gallery.png"
        if not path.exists():
            self._write(path, png)

    def picture(self, cell_id: str) -> bytes | None:
        """The picture that was kept of a cell, as PNG, or None."""
        path = self.folder / "cells" / cell_id / "gallery.png"
        return path.read_bytes() if path.exists() else None

    def write_run(self, run_id: str, manifest: dict[str, Any]) -> None:
        """Record one run; written at its start and again at its end."""
        self._write(self.folder / "runs" / f"{run_id}.json", json.dumps(manifest, indent=2, default=str).encode())

    def runs(self) -> list[dict[str, Any]]:
        """The records of all runs, the first one first."""
        return [_json(path) for path in sorted(self.folder.glob("runs/*.json"))]

    def cells(self) -> dict[str, dict[str, Any]]:
        """Every cell by its id, in the order they were begun."""
        paths = sorted(self.folder.glob("cells/*/cell.json"), key=lambda path: (path.stat().st_mtime_ns, path))
        return {path.parent.name: _json(path) for path in paths}

    def shards(self, cell_id: str) -> list[tuple[int, int]]:
        """The bounds of the finished shards of a cell; a corrupt one is said and left out."""
        return [bounds for bounds, _ in self._intact(cell_id)]

    def outcomes(self, cell_id: str, columns: Sequence[str] | None = None) -> pa.Table:
        """All finished outcomes of a cell, or these columns of them, in benchmark order.

        A corrupt shard is said and left out.
        """
        wanted = list(SCHEMA.names if columns is None else dict.fromkeys(["index", *columns]))
        return _joined(self._intact(cell_id), wanted)

    def tidy(self, cell_id: str) -> None:
        """Remove what a killed run left half-written, and rename corrupt shards: their samples are computed again."""
        for left in (self.folder / "cells" / cell_id).glob(".*.part"):
            left.unlink(missing_ok=True)
        for name in self._names(cell_id):
            if _content(name) is None:
                name.path.rename(name.path.with_suffix(f".corrupt-{secrets.token_hex(3)}"))
                _warn(f"{name.path} is corrupt: it is set aside, and {name.samples} are computed again.")

    def _intact(self, cell_id: str) -> Iterator[tuple[tuple[int, int], bytes]]:
        """Every intact shard but those that lie within another: of a `unite` both may be there.

        Where a file goes while it is about to be read, another process is uniting them, and the whole is there by now.
        """
        try:
            yield from self._read(self._names(cell_id))
        except FileNotFoundError:
            yield from self._read(self._names(cell_id))

    def _read(self, names: list[_Name]) -> list[tuple[tuple[int, int], bytes]]:
        found: list[tuple[tuple[int, int], bytes]] = []
        for name in names:
            if found and name.stop <= found[-1][0][1]:
                continue
            content = _content(name)
            if content is None:
                _warn(f"{name.path} is corrupt: {name.samples} are left out until the run is repeated.")
            else:
                found.append(((name.start, name.stop), content))
        return found

    def _names(self, cell_id: str) -> list[_Name]:
        """The files of a cell's shards, by their first sample, the widest first."""
        found = []
        for path in (self.folder / "cells" / cell_id).glob("*.parquet"):
            match = _NAME.fullmatch(path.name)
            if match is None:
                raise StoreError(f"{path} is not a shard of this format.", "Move it out of the store.")
            found.append(_Name(path, int(match[1]), int(match[2]), match[3]))
        return sorted(found, key=lambda name: (name.start, -name.stop))

    def _check_format(self) -> None:
        path = self.folder / "store.json"
        if not path.exists():
            self._write(path, json.dumps({"format": _FORMAT}).encode())
        elif (found := _json(path).get("format")) != _FORMAT:
            raise StoreError(
                f"{self.folder} has store format {found}, this version has {_FORMAT}.", "Evaluate into a new --store."
            )

    def _write(self, path: Path, content: bytes) -> None:
        """Write whole or not at all: to a temporary name first, then renamed over."""
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        with writing(self.folder):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with temporary.open("wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)


def new_run_id() -> str:
    """A name that sorts by time."""
    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(3)}"


def jsonable(record: Any) -> dict[str, Any]:
    """A dataclass as plain JSON types."""
    plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(record), default=str))
    return plain


def _json(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise StoreError(
            f"{path} cannot be read: {error}.", "Move it out of the store, or use a new --store."
        ) from error
    return found


def _joined(shards: Iterable[tuple[tuple[int, int], bytes]], columns: list[str]) -> pa.Table:
    return concatenate([_table(content, columns) for _, content in shards], columns)


def _table(content: bytes, columns: list[str]) -> pa.Table:
    file = pq.ParquetFile(pa.BufferReader(content))
    if file.schema_arrow.names != SCHEMA.names:
        raise StoreError("The store has other columns than this version writes.", "Use a new --store.")
    return file.read(columns, use_threads=False).select(columns)


def _warn(message: str) -> None:
    warnings.warn(message, RobustEvalWarning, stacklevel=3)


def _content(name: _Name) -> bytes | None:
    """What is in the file; None where the checksum in its name is not met."""
    content = name.path.read_bytes()
    return content if _checksum(content) == name.checksum else None


def _checksum(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=8).hexdigest()
