"""Where outcomes live: Parquet shards written whole or not at all, found again by content.

STORE/cells/<cell id>/cell.json                                        what the cell is
STORE/cells/<cell id>/<start>-<stop>.<checksum>.parquet                its outcomes; of a finished cell all in one file
STORE/cells/<cell id>/<start>-<stop>x<count>.<checksum>.parquet        those of `count` samples among these
STORE/runs/<time>-<id>.json                                            each run: command, versions, device, time

STORE is a folder or any URL that fsspec knows.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import json
import re
import secrets
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from robustbench_eff.core.errors import RobustEvalWarning, StoreError, StoreUnavailable, UsageError

from . import lease
from .outcomes import SCHEMA, concatenate
from .remote_files import Files
from .stored_cell import StoredCell

_NAME = re.compile(r"(\d{8,})-(\d{8,})(?:x(\d+))?\.([0-9a-f]{16})\.parquet")
_FORMAT = 5
_READABLE = (4, 5)
"""Formats that this version reads; a store of the older one becomes one of the newer when it is first written to."""


class _Shard(NamedTuple):
    """What the name of a shard's file says."""

    name: str
    start: int
    stop: int
    size: int
    checksum: str

    @property
    def samples(self) -> str:
        some = f"{self.size} of the " if self.size < self.stop - self.start else ""
        return f"{some}samples {self.start} to {self.stop}"


class Store:
    """A folder of outcomes, here or in an object store. Reading needs nothing; writing needs `lock()`."""

    def __init__(self, place: Path | str) -> None:
        self.place = str(place)
        self._files = Files.at(place)

    @classmethod
    def existing(cls, place: Path | str) -> Store:
        """A store that must be there already; UsageError if it is not."""
        store = cls(place)
        if not store._files.exists("store.json"):
            raise UsageError(f"{place} is not a store of outcomes.", "Give the place that a run printed as its store.")
        store._check_format()
        return store

    @property
    def name(self) -> str:
        """The last part of its place."""
        return self._files.root.rpartition("/")[2]

    def check_writable(self) -> None:
        """Raise StoreUnavailable if it could not be written now; leaves no trace where there is no store yet."""
        self._files.check_writable()
        if self._files.exists():
            try:
                with self.lock():
                    return
            except StoreError as error:
                raise StoreUnavailable(error.message, error.hint) from error

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the store for writing; StoreError if another process holds it."""
        with lease.held(self._files):
            self._check_format()
            if self._format() != _FORMAT:
                self._write_format()
            yield

    def write_cell(self, cell: StoredCell) -> None:
        """Record what a cell is; a record that exists already stays as it is.

        Args:
            cell: The cell.
        """
        name = f"cells/{cell.id}/cell.json"
        if not self._files.exists(name):
            self._files.write(name, json.dumps(cell.record(), indent=2).encode())

    def write_shard(self, cell_id: str, outcomes: pa.Table) -> str:
        """Add outcomes of some samples, in their order, atomically, and say where; the checksum is in the name."""
        buffer = io.BytesIO()
        pq.write_table(outcomes, buffer, compression="zstd")
        content, index = buffer.getvalue(), outcomes["index"]
        start, stop, count = index[0].as_py(), index[-1].as_py() + 1, len(index)
        scattered = "" if count == stop - start else f"x{count}"
        name = f"cells/{cell_id}/{start:08d}-{stop:08d}{scattered}.{_checksum(content)}.parquet"
        self._files.write(name, content)
        return name

    def compact(self, cell_id: str) -> None:
        """Make one file of the shards of a finished cell: a whole store is then read in seconds."""
        if len(self._shards(cell_id)) < 2:
            return
        found = self._read(cell_id)
        contents = self._intact(found)
        if len(contents) < len(found):
            return
        whole = self.write_shard(cell_id, _joined(contents, SCHEMA.names))
        for shard, _ in found:
            if shard.name != whole:
                with contextlib.suppress(FileNotFoundError):  # another process unites them, too
                    self._files.remove(shard.name)

    def write_picture(self, cell_id: str, png: bytes) -> None:
        """Keep a picture of a cell's successes; the first one stays."""
        if not self.has_picture(cell_id):
            self._files.write(f"cells/{cell_id}/gallery.png", png)

    def has_picture(self, cell_id: str) -> bool:
        """Whether there is a picture of a cell's successes."""
        return self._files.exists(f"cells/{cell_id}/gallery.png")

    def picture(self, cell_id: str) -> bytes | None:
        """The picture that was kept of a cell, as PNG, or None."""
        return self._files.read(f"cells/{cell_id}/gallery.png") if self.has_picture(cell_id) else None

    def write_run(self, run_id: str, manifest: dict[str, Any]) -> None:
        """Record one run; written at its start and again at its end."""
        self._files.write(f"runs/{run_id}.json", json.dumps(manifest, indent=2, default=str).encode())

    def runs(self) -> list[dict[str, Any]]:
        """The records of all runs, the first one first."""
        return self._json(self._files.matching("runs/*.json"))

    def cells(self) -> dict[str, StoredCell]:
        """Return every cell by its id, in the order in which runs planned them.

        Raises:
            StoreError: A record cannot be read.
        """
        names = self._files.matching("cells/*/cell.json")
        ids = [name.split("/")[1] for name in names]
        records = zip(ids, self._json(names), strict=True)
        cells = {cell_id: StoredCell.from_record(cell_id, record) for cell_id, record in records}
        planned = dict.fromkeys(cell_id for run in self.runs() for cell_id in run.get("cells", []))
        return {cell_id: cells[cell_id] for cell_id in [*planned, *cells] if cell_id in cells}

    def outcomes(self, cell_id: str, columns: Sequence[str] | None = None) -> pa.Table:
        """All finished outcomes of a cell, or these columns of them, in benchmark order.

        A corrupt shard is said and left out.
        """
        wanted = list(SCHEMA.names if columns is None else dict.fromkeys(["index", *columns]))
        return _joined(self._intact(self._read(cell_id)), wanted)

    def load_for_resume(self, cell_id: str, columns: Sequence[str]) -> tuple[pa.Table, int]:
        """These columns of all finished outcomes, and in how many files they lie, for who goes on with a cell.

        What a killed run left half-written is removed, and corrupt shards are set aside: their samples are computed
        again.
        """
        for left in self._files.matching(f"cells/{cell_id}/.*.part") if self._files.folder else ():
            self._files.remove(left)
        intact = []
        for shard, content in self._read(cell_id):
            if content is None:
                self._files.rename(shard.name, f"{shard.name}.corrupt-{secrets.token_hex(3)}")
                path = self._files.path(shard.name)
                _warn(f"{path} is corrupt: it is set aside, and {shard.samples} are computed again.")
            else:
                intact.append(content)
        return _joined(intact, list(dict.fromkeys(["index", *columns]))), len(intact)

    def _intact(self, found: Sequence[tuple[_Shard, bytes | None]]) -> list[bytes]:
        """What is in the files but the corrupt ones, which are said."""
        intact = []
        for shard, content in found:
            if content is None:
                path = self._files.path(shard.name)
                _warn(f"{path} is corrupt: {shard.samples} are left out until the run is repeated.")
            else:
                intact.append(content)
        return intact

    def _read(self, cell_id: str) -> list[tuple[_Shard, bytes | None]]:
        """The files of a cell and what is in them; None where the checksum in a name is not met.

        Where a file goes while it is about to be read, another process is uniting them, and the whole is there by now.
        """
        try:
            return self._read_now(cell_id)
        except FileNotFoundError:
            return self._read_now(cell_id)

    def _read_now(self, cell_id: str) -> list[tuple[_Shard, bytes | None]]:
        shards = self._shards(cell_id)
        contents = self._files.read_all([shard.name for shard in shards])
        return [
            (shard, content if _checksum(content) == shard.checksum else None)
            for shard, content in zip(shards, contents, strict=True)
        ]

    def _shards(self, cell_id: str) -> list[_Shard]:
        """The files of a cell's shards, those of most samples first."""
        found = []
        for name in self._files.matching(f"cells/{cell_id}/*.parquet"):
            match = _NAME.fullmatch(name.rpartition("/")[2])
            if match is None:
                raise StoreError(
                    f"{self._files.path(name)} is not a shard of this format.", "Move it out of the store."
                )
            start, stop = int(match[1]), int(match[2])
            found.append(_Shard(name, start, stop, int(match[3] or stop - start), match[4]))
        return sorted(found, key=lambda shard: (-shard.size, shard))

    def _check_format(self) -> None:
        if not self._files.exists("store.json"):
            self._write_format()
        elif (found := self._format()) not in _READABLE:
            raise StoreError(
                f"{self.place} has store format {found}; this version reads formats {_READABLE[0]} to {_FORMAT}.",
                "Evaluate into a new --store.",
            )

    def _format(self) -> Any:
        return self._json(["store.json"])[0].get("format")

    def _write_format(self) -> None:
        self._files.write("store.json", json.dumps({"format": _FORMAT}).encode())

    def _json(self, names: Sequence[str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for name, content in zip(names, self._files.read_all(names), strict=True):
            try:
                found.append(json.loads(content))
            except ValueError as error:
                raise StoreError(
                    f"{self._files.path(name)} cannot be read: {error}.",
                    "Move it out of the store, or use a new --store.",
                ) from error
        return found


def new_run_id() -> str:
    """A name that sorts by time."""
    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(3)}"


def jsonable(record: Any) -> dict[str, Any]:
    """A dataclass as plain JSON types."""
    plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(record), default=str))
    return plain


def _joined(contents: Sequence[bytes], columns: list[str]) -> pa.Table:
    return concatenate([_table(content, columns) for content in contents], columns)


def _table(content: bytes, columns: list[str]) -> pa.Table:
    file = pq.ParquetFile(pa.BufferReader(content))
    if file.schema_arrow.names != SCHEMA.names:
        raise StoreError("The store has other columns than this version writes.", "Use a new --store.")
    return file.read(columns, use_threads=False).select(columns)


def _warn(message: str) -> None:
    warnings.warn(message, RobustEvalWarning, stacklevel=4)


def _checksum(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=8).hexdigest()
