"""Shard: a Parquet file with outcomes of some samples of a cell, whose name says which ones and holds its checksum."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from robustbench_eff.core.errors import StoreError

from .outcomes import ADDED_IN_FORMAT_6, SCHEMA, concatenate
from .remote_files import Files

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
    content: bytes | None
    """Content of the file; None if it is corrupt: it does not have the checksum of the name."""


class EncodedShard(NamedTuple):
    """A shard that is yet to be written."""

    file_name: str
    content: bytes


def encode(outcomes: pa.Table) -> EncodedShard:
    """Return the file for outcomes.

    Args:
        outcomes: At least one row, sorted by `index`, with the columns of `SCHEMA`.
    """
    buffer = io.BytesIO()
    pq.write_table(outcomes, buffer, compression="zstd")
    content, index = buffer.getvalue(), outcomes["index"]
    start, stop, count = index[0].as_py(), index[-1].as_py() + 1, len(index)
    scattered = "" if count == stop - start else f"x{count}"
    return EncodedShard(f"{start:08d}-{stop:08d}{scattered}.{_checksum(content)}.parquet", content)


def list_shards(files: Files, cell_id: str) -> list[Shard]:
    """Return the shards of a cell, those with the most samples first.

    Args:
        files: Files of the store.
        cell_id: Id of the cell.

    Raises:
        StoreError: A Parquet file does not have the name of a shard.
    """
    shards = []
    for name in files.matching(f"cells/{cell_id}/*.parquet"):
        match = _NAME.fullmatch(name.rpartition("/")[2])
        if match is None:
            raise StoreError(f"{files.path(name)} is not a shard of this format.", "Move it out of the store.")
        start, stop = int(match[1]), int(match[2])
        shards.append(Shard(name, start, stop, int(match[3] or stop - start), match[4]))
    return sorted(shards, key=lambda shard: (-shard.size, shard))


def read_all(files: Files, cell_id: str) -> list[ReadShard]:
    """Return the shards of a cell with their contents.

    If a file disappears before it is read, another process is merging the shards and has written the merged file.

    Args:
        files: Files of the store.
        cell_id: Id of the cell.

    Raises:
        StoreError: A Parquet file does not have the name of a shard.
    """
    try:
        return _read_all(files, cell_id)
    except FileNotFoundError:
        return _read_all(files, cell_id)


def _read_all(files: Files, cell_id: str) -> list[ReadShard]:
    shards = list_shards(files, cell_id)
    contents = files.read_all([shard.name for shard in shards])
    return [
        ReadShard(shard, content if _checksum(content) == shard.checksum else None)
        for shard, content in zip(shards, contents, strict=True)
    ]


def decode(contents: Sequence[bytes], columns: list[str]) -> pa.Table:
    """Return the outcomes of several shards in the order of the benchmark, the first row of each sample.

    Args:
        contents: Contents of the files.
        columns: Columns to return, with `index` among them.

    Raises:
        StoreError: A file has other columns than this version writes.
    """
    return concatenate([_table(content, columns) for content in contents], columns)


def _table(content: bytes, columns: list[str]) -> pa.Table:
    file = pq.ParquetFile(pa.BufferReader(content))
    names = file.schema_arrow.names
    if names not in (SCHEMA.names, [name for name in SCHEMA.names if name not in ADDED_IN_FORMAT_6]):
        raise StoreError("The store has other columns than this version writes.", "Use a new --store.")
    table = file.read([name for name in columns if name in names], use_threads=False)
    for name in (name for name in columns if name not in names):
        field = SCHEMA.field(name)
        absent: Any = [] if pa.types.is_list(field.type) else -1.0
        table = table.append_column(field, pa.array([absent] * table.num_rows, field.type))
    return table.select(columns)


def _checksum(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=8).hexdigest()
