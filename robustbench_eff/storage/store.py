"""Store: outcomes in Parquet shards, each written atomically and checked by its checksum.

Every JSON file holds a checksum of itself, and every shard names its cell.

STORE/store.json                                                       the format of the store and of its oldest files
STORE/cells/<cell id>/cell.json                                        the record of the cell
STORE/cells/<cell id>/<start>-<stop>.<checksum>.parquet                outcomes; one file once the cell is finished
STORE/cells/<cell id>/<start>-<stop>x<count>.<checksum>.parquet        outcomes of `count` of the samples in that range
STORE/cells/<cell id>/gallery.png                                      a picture of images that fooled the model
STORE/models/<hash>.json                                               answers of a model to a few fixed images
STORE/runs/<time>-<id>.json                                            command, versions, device and time of each run
STORE/set-aside/...                                                    damaged and foreign files that were moved away

STORE is a folder or any URL that fsspec supports.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from robustbench_eff.core.errors import StoreError, StoreUnavailable, UsageError

from . import cell_outcomes, cell_records, lease, picture, shard, store_format
from .answers import Answers, variant
from .manifest import read_manifests, write_manifest
from .outcomes import SCHEMA
from .remote_files import Files
from .shard import Expected
from .stored_cell import StoredCell


class Store:
    """A folder of outcomes on this machine or in an object store. Writing requires `lock()`, reading does not."""

    def __init__(self, place: Path | str) -> None:
        """Open a store, which need not exist yet.

        Args:
            place: Folder, or URL that fsspec supports.
        """
        self.place = str(place)
        self._files = Files.at(place)
        self._oldest_format: int | None = None
        self._samples: dict[str, int] = {}
        self._remembers = False
        self._known: cell_records.CellRecords | None = None

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
        if store_format.read(store._files) is None:
            raise UsageError(f"{place} is not a store of outcomes: no {store_format.NAME}.", "Pass what a run printed.")
        return store

    @property
    def name(self) -> str:
        """The last part of the store's path or URL."""
        return self._files.root.rpartition("/")[2]

    @property
    def _oldest(self) -> int:
        """Format of the oldest files that the store may hold, which never changes once the store exists."""
        if self._oldest_format is None and (found := store_format.read(self._files)) is not None:
            self._oldest_format = found.oldest
        return self._oldest_format or store_format.FORMAT

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
        unlocked = self._files
        with lease.held(unlocked) as self._files:
            try:
                found = store_format.read(self._files)
                if found is None or found.newest < store_format.FORMAT:
                    found = store_format.write(self._files, found.oldest if found else store_format.FORMAT)
                self._oldest_format = found.oldest
                yield
            finally:
                self._files = unlocked

    @contextlib.contextmanager
    def remembering(self) -> Iterator[None]:
        """Inside, read the records of cells once: what this object writes is added, what others write is not seen."""
        self._remembers = True
        try:
            yield
        finally:
            self._remembers, self._known = False, None

    def variant(self, digest: str, preprocessing: str, answers: Answers) -> int:
        """Return which of the models with a digest gave some answers; see `answers.variant`.

        Args:
            digest: Digest of the model.
            preprocessing: How images are resized, cropped and normalized for it.
            answers: Its answers now, which are stored if they are new.
        """
        return variant(self._files, digest, preprocessing, answers, self._oldest)

    def write_cell(self, cell: StoredCell) -> None:
        """Write the record of a cell; a record that exists already stays as it is.

        Args:
            cell: The cell, with its id.
        """
        if not self._files.exists(f"cells/{cell.id}/{cell_records.NAME}"):
            cell_records.write_record(self._files, cell)
            if self._known is not None:
                self._known.cells[cell.id] = cell

    def restore_cells(self, planned: Mapping[str, StoredCell]) -> None:
        """Replace damaged and missing records of cells that a run is about to continue, with a warning for each.

        Args:
            planned: The cells of the run by their ids.

        Raises:
            StoreError: The record of another cell is damaged.
        """
        if cell_records.restore(self._files, self._records().problems, planned):
            self._known = None

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
        encoded = shard.encode(cell_id, outcomes)
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
        if (found := cell_outcomes.read_to_merge(self._files, self._expected(cell_id), SCHEMA.names)) is None:
            return
        outcomes, names = found
        merged = self.write_shard(cell_id, outcomes)
        for name in names:
            if name != merged:
                with contextlib.suppress(FileNotFoundError):  # another process may be merging them, too
                    self._files.remove(name)

    def write_picture(self, cell_id: str, png: bytes) -> None:
        """Write a picture of a cell's successful adversarial images, unless there is one already.

        Args:
            cell_id: Id of the cell.
            png: The picture as PNG.
        """
        if not self.has_picture(cell_id):
            self._files.write(f"cells/{cell_id}/gallery.png", picture.named(png, cell_id))

    def has_picture(self, cell_id: str) -> bool:
        """Return whether the store has a picture of a cell.

        Args:
            cell_id: Id of the cell.
        """
        return self._files.exists(f"cells/{cell_id}/gallery.png")

    def picture(self, cell_id: str) -> bytes | None:
        """Return the picture of a cell as PNG, or None. A damaged one, or another cell's, is left out with a warning.

        Args:
            cell_id: Id of the cell.
        """
        return picture.read(self._files, f"cells/{cell_id}/gallery.png", cell_id)

    def write_run(self, run_id: str, manifest: dict[str, Any]) -> None:
        """Write the record of a run, at its start and again at its end.

        Args:
            run_id: Name from `manifest.new_run_id`.
            manifest: Command, versions, device, time and cells of the run.
        """
        write_manifest(self._files, run_id, manifest)

    def runs(self) -> list[dict[str, Any]]:
        """Return the records of all runs, the earliest first.

        Raises:
            StoreError: A record is damaged.
        """
        return read_manifests(self._files, self._oldest)

    def cells(self) -> dict[str, StoredCell]:
        """Return every cell by its id, in the order in which runs planned them.

        Folders that are copies of another cell's are left out with a warning.

        Raises:
            StoreError: A record is damaged.
        """
        found = self._records()
        for problem in found.problems.values():
            raise problem
        found.warn_of_copies(self._files)
        planned = dict.fromkeys(cell_id for run in self.runs() for cell_id in run.get("cells", []))
        return {cell_id: found.cells[cell_id] for cell_id in [*planned, *found.cells] if cell_id in found.cells}

    def outcomes(self, cell_id: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Return all finished outcomes of a cell, in the order of the benchmark.

        Shards that are corrupt, belong to another cell, or are none of this format are left out with a warning.

        Args:
            cell_id: Id of the cell.
            columns: Columns to read besides `index`; None for all.

        Raises:
            StoreError: A file cannot be read.
        """
        names = list(SCHEMA.names if columns is None else dict.fromkeys(["index", *columns]))
        return cell_outcomes.read_outcomes(self._files, self._expected(cell_id), names)

    def load_for_resume(self, cell_id: str, columns: Sequence[str]) -> tuple[pa.Table, int]:
        """Return the finished outcomes of a cell that a run is about to resume.

        Temporary files that a killed run left behind are removed, and shards with which something is wrong are set
        aside with a warning: their samples are computed again.

        Args:
            cell_id: Id of the cell.
            columns: Columns to read besides `index`.

        Returns:
            The outcomes, and the number of files that hold them.

        Raises:
            StoreError: A file cannot be read.
        """
        for temporary in self._files.matching(f"cells/{cell_id}/.*.part") if self._files.folder else ():
            self._files.remove(temporary)
        names = dict.fromkeys(["index", *columns])
        return cell_outcomes.read_and_set_aside(self._files, self._expected(cell_id), list(names))

    def _records(self) -> cell_records.CellRecords:
        """The records of all cells, whose sizes are remembered."""
        found = self._known or cell_records.read_records(self._files, self._oldest)
        self._known = found if self._remembers else None
        self._samples |= {cell_id: cell.samples for cell_id, cell in found.cells.items()}
        return found

    def _expected(self, cell_id: str) -> Expected:
        """What the shards of a cell must be; their number of samples is unknown without a record of the cell."""
        if cell_id not in self._samples and (cell := cell_records.read_one(self._files, cell_id, self._oldest)):
            self._samples[cell_id] = cell.samples
        return Expected(cell_id, self._samples.get(cell_id), self._oldest)
