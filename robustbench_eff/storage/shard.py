"""Shard: a Parquet file with outcomes of some samples of a cell, whose name says which ones and holds its checksum."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from robustbench_eff.core.errors import reason

from .outcomes import ADDED_IN_FORMAT_6, SCHEMA, as_numpy
from .record import FIRST_FORMAT_WITH_CHECKSUMS
from .remote_files import Files

_CELL = b"cell"
"""Key of the Parquet metadata under which a shard names its cell."""
_COLUMNS_BEFORE_FORMAT_6 = [name for name in SCHEMA.names if name not in ADDED_IN_FORMAT_6]
_TYPES_BEFORE_FORMAT_6 = [SCHEMA.field(name).type for name in _COLUMNS_BEFORE_FORMAT_6]
_NAME = re.compile(r"(\d{8,})-(\d{8,})(?:x(\d+))?\.([0-9a-f]{16})\.parquet")


class Shard(NamedTuple):
    """A shard as its name describes it."""

    name: str
    """Name of the file within the store."""
    start: int
    """Index of the first sample."""
    stop: int
    """Index of the last sample plus 1."""
    size: int
    """Number of samples."""
    checksum: str

    @property
    def samples(self) -> str:
        """The samples it holds, for messages."""
        some = f"{self.size} of the " if self.size < self.stop - self.start else ""
        return f"{some}samples {self.start} to {self.stop}"


class ReadShard(NamedTuple):
    """A shard that was read."""

    shard: Shard
    outcomes: pa.Table | None
    """Its outcomes; None if something is wrong with it."""
    problem: str = ""
    """What is wrong with it, as the end of a sentence that begins with its name; empty if nothing is."""


class EncodedShard(NamedTuple):
    """A shard that is yet to be written."""

    file_name: str
    content: bytes


class Expected(NamedTuple):
    """What a shard must be."""

    cell_id: str
    """The cell that it must name."""
    samples: int | None
    """Number of samples of the cell; None if unknown."""
    oldest: int
    """Format of the oldest files that the store may hold."""


def encode(cell_id: str, outcomes: pa.Table) -> EncodedShard:
    """Return the file for outcomes, which names their cell.

    Args:
        cell_id: Id of the cell.
        outcomes: At least one row, sorted by `index`, with the columns of `SCHEMA`.
    """
    buffer = io.BytesIO()
    named = outcomes.replace_schema_metadata({**(SCHEMA.metadata or {}), _CELL: cell_id.encode()})
    pq.write_table(named, buffer, compression="zstd")
    content, index = buffer.getvalue(), outcomes["index"]
    start, stop, count = index[0].as_py(), index[-1].as_py() + 1, len(index)
    scattered = "" if count == stop - start else f"x{count}"
    return EncodedShard(f"{start:08d}-{stop:08d}{scattered}.{checksum(content)}.parquet", content)


def list_shards(files: Files, cell_id: str) -> list[Shard]:
    """Return the shards of a cell, those with the most samples first; files that are not named as shards have size 0.

    Args:
        files: Files of the store.
        cell_id: Id of the cell.
    """
    shards = [parse_name(name) for name in files.matching(f"cells/{cell_id}/*.parquet")]
    return sorted(shards, key=lambda shard: (-shard.size, shard))


def parse_name(name: str) -> Shard:
    """Return a shard as its name describes it; one of size 0 if it is not the name of a shard.

    Args:
        name: Name of the file within the store.
    """
    match = _NAME.fullmatch(name.rpartition("/")[2])
    if match is None:
        return Shard(name, 0, 0, 0, "")
    start, stop = int(match[1]), int(match[2])
    return Shard(name, start, stop, int(match[3] or stop - start), match[4])


def read_all(files: Files, expected: Expected, columns: Sequence[str]) -> list[ReadShard]:
    """Return the shards of a cell with their outcomes.

    If a file disappears before it is read, another process is merging the shards and has written the merged file.

    Args:
        files: Files of the store.
        expected: The cell, and what its shards must be.
        columns: Columns to read, with `index` among them.

    Raises:
        StoreError: A file cannot be read.
    """
    try:
        shards = list_shards(files, expected.cell_id)
        contents = files.read_all([shard.name for shard in shards])
    except FileNotFoundError:
        shards = list_shards(files, expected.cell_id)
        contents = files.read_existing([shard.name for shard in shards])
    return [read(shard, content, expected, columns) for shard, content in zip(shards, contents, strict=True)]


def read(shard: Shard, content: bytes, expected: Expected, columns: Sequence[str]) -> ReadShard:
    """Return a shard with its outcomes, or what is wrong with it.

    Args:
        shard: What its name says.
        content: Content of the file.
        expected: What it must be.
        columns: Columns to read, with `index` among them.
    """
    if not shard.size:
        return ReadShard(shard, None, "is not named as a shard is")
    if checksum(content) != shard.checksum:
        return ReadShard(shard, None, "is corrupt")
    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        schema = file.schema_arrow
        is_usual = schema.equals(SCHEMA)  # takes a hundredth of the time of comparing names, types and nulls
        problem = _misplaced(schema, expected) or ("" if is_usual else _other_columns(schema, expected.oldest))
        if problem:
            return ReadShard(shard, None, problem)
        names = list(columns) if is_usual else [name for name in columns if name in schema.names]
        table = _filled(file.read(names, use_threads=False), columns)
        has_nulls = not is_usual and any(column.null_count for column in table.columns)
        problem = "lacks values" if has_nulls else _other_rows(table, shard, expected.samples)
    except (pa.ArrowException, OSError, ValueError) as error:
        return ReadShard(shard, None, f"cannot be read as Parquet ({reason(error)})")
    return ReadShard(shard, None if problem else table, problem)


def names_cell(content: bytes) -> bool:
    """Return whether a shard names its cell, as those of older formats do not.

    Args:
        content: Content of a sound shard.
    """
    return _CELL in (pq.ParquetFile(pa.BufferReader(content)).schema_arrow.metadata or {})


def _misplaced(schema: pa.Schema, expected: Expected) -> str:
    """What is wrong with the cell that a shard names; shards of older formats name none."""
    cell_id = (schema.metadata or {}).get(_CELL)
    if cell_id is None:
        return "does not name its cell" if expected.oldest >= FIRST_FORMAT_WITH_CHECKSUMS else ""
    if cell_id != expected.cell_id.encode():
        return f"holds outcomes of another cell, {cell_id.decode(errors='replace')}"
    return ""


def _other_columns(schema: pa.Schema, oldest: int) -> str:
    """What is wrong with the columns of a shard."""
    if schema.names != SCHEMA.names and not (oldest < 6 and schema.names == _COLUMNS_BEFORE_FORMAT_6):
        return "has other columns than this version writes"
    if schema.types != (SCHEMA.types if len(schema.names) == len(SCHEMA.names) else _TYPES_BEFORE_FORMAT_6):
        return "has columns of other types than this version writes"
    return ""


def _filled(table: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Return a table with those columns too that older formats lack."""
    for name in (name for name in columns if name not in table.column_names):
        field = SCHEMA.field(name)
        absent: Any = [] if pa.types.is_list(field.type) else -1.0
        table = table.append_column(field, pa.array([absent] * table.num_rows, field.type))
    return table.select(list(columns))


def _other_rows(table: pa.Table, shard: Shard, samples: int | None) -> str:
    """What is wrong with the rows of a shard."""
    index = as_numpy(table["index"])
    is_whole = len(index) == shard.size and index[0] == shard.start and index[-1] == shard.stop - 1
    if not is_whole or (np.diff(index) <= 0).any():
        return "does not hold the samples that its name says"
    if samples is not None and shard.stop > samples:
        return f"holds samples beyond the {samples} of its cell"
    if "votes" in table.column_names:
        ends = as_numpy(table["votes"].combine_chunks().offsets)
        if (np.diff(ends, n=2) != 0).any():
            return "has more votes on some samples than on others"
    return ""


def checksum(content: bytes) -> str:
    """Return the checksum in the name of a shard.

    Args:
        content: Content of the file.
    """
    return hashlib.blake2b(content, digest_size=8).hexdigest()
