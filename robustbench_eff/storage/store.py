"""Store: outcomes in Parquet shards, each written atomically and checked by its checksum.

STORE/store.json                                                       the format of the store
STORE/cells/<cell id>/cell.json                                        the record of the cell
STORE/cells/<cell id>/<start>-<stop>.<checksum>.parquet                outcomes; one file once the cell is finished
STORE/cells/<cell id>/<start>-<stop>x<count>.<checksum>.parquet        outcomes of `count` of the samples in that range
STORE/cells/<cell id>/gallery.png                                      a picture of images that fooled the model
STORE/models/<hash>.json                                               answers of a model to a few fixed images
STORE/runs/<time>-<id>.json                                            command, versions, device and time of each run

STORE is a folder or any URL that fsspec supports.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from robustbench_eff.core.errors import RobustEvalWarning, StoreError, StoreUnavailable, UsageError

from . import lease, shard
from .answers import Answers, variant
from .outcomes import SCHEMA
from .remote_files import Files
from .shard import ReadShard
from .stored_cell import StoredCell

_FORMAT = 6
_READABLE = (4, 5, 6)
"""Formats that this version reads; a store of an older format gets the newer one when it is first written to."""


class Store:
    """A folder of outcomes on this machine or in an object store. Writing requires `lock()`, reading does not."""

    def __init__(self, place: Path | str) -> None:
        """Open a store, which need not exist yet.

        Args:
            place: Folder, or URL that fsspec supports.
        """
        self.place = str(place)
        self._files = Files.at(place)

    @classmethod
    def existing(cls, place: Path | str) -> Store:
        """Open a store that must exist.

        Args:
            place: Folder, or URL that fsspec supports.

        Raises:
            UsageError: There is no store at this place.
            StoreError: The store has a format that this version cannot read.
        """
        store = cls(place)
        if not store._files.exists("store.json"):
            raise UsageError(f"{place} is not a store of outcomes.", "Pass the store that a run printed at its end.")
        store._check_format()
        return store

    @property
    def name(self) -> str:
        """The last part of the store's path or URL."""
        return self._files.root.rpartition("/")[2]

    def check_writable(self) -> None:
        """Check that the store can be written now; where no store exists yet, nothing is left behind.

        Raises:
            StoreUnavailable: It cannot be written, or another process is writing to it.
        """
        self._files.check_writable()
        if self._files.exists():
            try:
                with self.lock():
                    return
            except StoreError as error:
                raise StoreUnavailable(error.message, error.hint) from error

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Lock the store for writing, and raise its format to the current one.

        Raises:
            StoreError: Another process holds the lock, the store cannot be written, or it has an unknown format.
        """
        with lease.held(self._files):
            self._check_format()
            if self._format() != _FORMAT:
                self._write_format()
            yield

    def variant(self, digest: str, preprocessing: str, answers: Answers) -> int:
        """Return which of the models with a digest gave some answers; see `answers.variant`.

        Args:
            digest: Digest of the model.
            preprocessing: How images are resized, cropped and normalized for it.
            answers: Its answers now, which are stored if they are new.
        """
        return variant(self._files, digest, preprocessing, answers)

    def write_cell(self, cell: StoredCell) -> None:
        """Write the record of a cell; a record that exists already stays as it is.

        Args:
            cell: The cell, with its id.
        """
        name = f"cells/{cell.id}/cell.json"
        if not self._files.exists(name):
            self._files.write(name, json.dumps(cell.record(), indent=2).encode())

    def write_shard(self, cell_id: str, outcomes: pa.Table) -> str:
        """Write outcomes of some samples atomically.

        Args:
            cell_id: Id of the cell.
            outcomes: At least one row, sorted by `index`, with the columns of `SCHEMA`.

        Returns:
            Name of the new file within the store, which contains its checksum.

        Raises:
            StoreError: The disk is full, or the store cannot be written.
        """
        encoded = shard.encode(outcomes)
        name = f"cells/{cell_id}/{encoded.file_name}"
        self._files.write(name, encoded.content)
        return name

    def compact(self, cell_id: str) -> None:
        """Merge the shards of a finished cell into one file, so that a whole store is read in seconds.

        If a shard is corrupt, a warning is issued and all shards stay as they are.

        Args:
            cell_id: Id of the cell.
        """
        if len(shard.list_shards(self._files, cell_id)) < 2:
            return
        shards = shard.read_all(self._files, cell_id)
        contents = self._intact(shards)
        if len(contents) < len(shards):
            return
        merged = self.write_shard(cell_id, shard.decode(contents, SCHEMA.names))
        for item, _ in shards:
            if item.name != merged:
                with contextlib.suppress(FileNotFoundError):  # another process may be merging them, too
                    self._files.remove(item.name)

    def write_picture(self, cell_id: str, png: bytes) -> None:
        """Write a picture of a cell's successful adversarial images, unless there is one already.

        Args:
            cell_id: Id of the cell.
            png: The picture as PNG.
        """
        if not self.has_picture(cell_id):
            self._files.write(f"cells/{cell_id}/gallery.png", png)

    def has_picture(self, cell_id: str) -> bool:
        """Return whether the store has a picture of a cell.

        Args:
            cell_id: Id of the cell.
        """
        return self._files.exists(f"cells/{cell_id}/gallery.png")

    def picture(self, cell_id: str) -> bytes | None:
        """Return the picture of a cell as PNG, or None if there is none.

        Args:
            cell_id: Id of the cell.
        """
        return self._files.read(f"cells/{cell_id}/gallery.png") if self.has_picture(cell_id) else None

    def write_run(self, run_id: str, manifest: dict[str, Any]) -> None:
        """Write the record of a run, at its start and again at its end.

        Args:
            run_id: Name from `manifest.new_run_id`.
            manifest: Command, versions, device, time and cells of the run.
        """
        self._files.write(f"runs/{run_id}.json", json.dumps(manifest, indent=2, default=str).encode())

    def runs(self) -> list[dict[str, Any]]:
        """Return the records of all runs, the earliest first.

        Raises:
            StoreError: A record cannot be read.
        """
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
        """Return all finished outcomes of a cell, in the order of the benchmark.

        Corrupt shards are left out with a warning.

        Args:
            cell_id: Id of the cell.
            columns: Columns to read besides `index`; None for all.

        Raises:
            StoreError: A file is not a shard, or has other columns than this version writes.
        """
        names = list(SCHEMA.names if columns is None else dict.fromkeys(["index", *columns]))
        return shard.decode(self._intact(shard.read_all(self._files, cell_id)), names)

    def load_for_resume(self, cell_id: str, columns: Sequence[str]) -> tuple[pa.Table, int]:
        """Return the finished outcomes of a cell that a run is about to resume.

        Temporary files that a killed run left behind are removed, and corrupt shards are renamed with a warning: their
        samples are computed again.

        Args:
            cell_id: Id of the cell.
            columns: Columns to read besides `index`.

        Returns:
            The outcomes, and the number of files that hold them.

        Raises:
            StoreError: A file is not a shard, or has other columns than this version writes.
        """
        for temporary in self._files.matching(f"cells/{cell_id}/.*.part") if self._files.folder else ():
            self._files.remove(temporary)
        intact = []
        for item, content in shard.read_all(self._files, cell_id):
            if content is None:
                self._files.rename(item.name, f"{item.name}.corrupt-{secrets.token_hex(3)}")
                _warn_corrupt(self._files.path(item.name), f"it is set aside, and {item.samples} are computed again")
            else:
                intact.append(content)
        return shard.decode(intact, list(dict.fromkeys(["index", *columns]))), len(intact)

    def _intact(self, shards: Sequence[ReadShard]) -> list[bytes]:
        """Return the contents of the shards without the corrupt ones, of which it warns."""
        intact = []
        for item, content in shards:
            if content is None:
                _warn_corrupt(self._files.path(item.name), f"{item.samples} are left out until the run is repeated")
            else:
                intact.append(content)
        return intact

    def _check_format(self) -> None:
        if not self._files.exists("store.json"):
            self._write_format()
        elif (stored := self._format()) not in _READABLE:
            raise StoreError(
                f"{self.place} has store format {stored}; this version reads formats {_READABLE[0]} to {_FORMAT}.",
                "Evaluate into a new --store.",
            )

    def _format(self) -> Any:
        return self._json(["store.json"])[0].get("format")

    def _write_format(self) -> None:
        self._files.write("store.json", json.dumps({"format": _FORMAT}).encode())

    def _json(self, names: Sequence[str]) -> list[dict[str, Any]]:
        records: list[dict[str, Any]] = []
        for name, content in zip(names, self._files.read_all(names), strict=True):
            try:
                records.append(json.loads(content))
            except ValueError as error:
                message = f"{self._files.path(name)} cannot be read: {error}."
                raise StoreError(message, "Move it out of the store, or use a new --store.") from error
        return records


def _warn_corrupt(path: str, consequence: str) -> None:
    warnings.warn(f"{path} is corrupt: {consequence}.", RobustEvalWarning, stacklevel=4)
