"""Parquet and webdataset files of a hub dataset, checked before the library of the hub reads them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from robustbench_eff.core.errors import DataError, reason
from robustbench_eff.core.outside_archives import MAX_UNPACKED_BYTES, largest_unpacked

from .tar_members import members

MAX_ROWS = 5_000_000
"""Most rows of a file."""
_SMALLEST = 64
"""Stored bytes of a value below which a column is decoded to learn how large it is: its values may be repeated."""
_AT_ONCE = 1024
"""Most rows that are decoded at a time."""


def check_data_file(path: Path) -> None:
    """Refuse a file that would fill memory, or that states something twice.

    Args:
        path: A Parquet, Arrow or tar file.

    Raises:
        DataError: It is damaged, has more than `MAX_ROWS` rows or two columns of one name, or unpacks to far more than
            its size; or a tar holds a file twice.
    """
    if path.suffix == ".tar":
        members(path)
    if path.suffix == ".parquet":
        try:
            with pq.ParquetFile(path) as file:
                _check_parquet(path, file)
        except (pa.ArrowException, OSError, ValueError, TypeError) as error:
            raise DataError(f"{path} cannot be read: {reason(error)}.", "Download it again.") from error


def _check_parquet(path: Path, file: pq.ParquetFile) -> None:
    facts, names = file.metadata, file.schema_arrow.names
    if not facts.num_rows:
        raise DataError(f"{path} does not have any rows.")
    if facts.num_rows > MAX_ROWS:
        raise DataError(f"{path} has {facts.num_rows:,} rows; at most {MAX_ROWS:,} are read.", "Split it.")
    if repeated := [name for name in names if names.count(name) > 1]:
        raise DataError(f"{path} has two columns named {repeated[0]!r}.", "Rename one of them.")
    most = largest_unpacked(path.stat().st_size)
    groups = [facts.row_group(number) for number in range(facts.num_row_groups)]
    if sum(group.total_byte_size for group in groups) > most:
        raise DataError(f"{path} unpacks to more than {most // 2**20:,} MiB.", "Split it.")
    stored = dict.fromkeys(names, 0)
    for group in groups:
        for number in range(facts.num_columns):
            column = group.column(number)
            name = column.path_in_schema.partition(".")[0]
            if name in stored and column.physical_type == "BYTE_ARRAY":
                stored[name] += column.total_uncompressed_size
    for name, size in stored.items():
        if 0 < size < _SMALLEST * facts.num_rows:
            _check_decoded(path, file, name, size)


def _check_decoded(path: Path, file: pq.ParquetFile, name: str, size: int) -> None:
    """Refuse a column whose values, which are stored once each, fill memory when they are repeated."""
    total = 0
    at_once = max(1, min(_AT_ONCE, MAX_UNPACKED_BYTES // (4 * size)))  # no value is larger than all that is stored
    for batch in file.iter_batches(at_once, columns=[name]):
        total += batch.nbytes
        if total > MAX_UNPACKED_BYTES:
            raise DataError(f"{path}: {name} repeats its values to more than {MAX_UNPACKED_BYTES // 2**20:,} MiB.")
