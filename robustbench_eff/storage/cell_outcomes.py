"""All outcomes of one cell, from the shards that hold them; what is wrong with one is said."""

from __future__ import annotations

import secrets
import warnings
from collections.abc import Sequence

import pyarrow as pa

from robustbench_eff.core.errors import RobustEvalWarning

from . import shard
from .outcomes import concatenate
from .remote_files import Files
from .shard import Expected, ReadShard


def read_outcomes(files: Files, expected: Expected, columns: list[str]) -> pa.Table:
    """Return all outcomes of a cell in the order of the benchmark; wrong shards are left out with a warning.

    Args:
        files: Files of the store.
        expected: The cell, and what its shards must be.
        columns: Columns to read, with `index` among them.

    Raises:
        StoreError: A file cannot be read.
    """
    shards = shard.read_all(files, expected, columns)
    return _united(files, expected, _intact(files, shards), columns)


def read_and_set_aside(files: Files, expected: Expected, columns: list[str]) -> tuple[pa.Table, int]:
    """Return all outcomes of a cell, and the number of files that hold them; wrong shards are set aside with a warning.

    Args:
        files: Files of the store, locked for writing.
        expected: The cell, and what its shards must be.
        columns: Columns to read, with `index` among them.

    Raises:
        StoreError: A file cannot be read.
    """
    shards = shard.read_all(files, expected, columns)
    for item in shards:
        if item.outcomes is None:
            set_aside(files, item.shard.name)
            _warn(files, item, f"it is set aside, and {item.shard.samples} are computed again")
    tables = [item.outcomes for item in shards if item.outcomes is not None]
    return _united(files, expected, tables, columns), len(tables)


def read_to_merge(files: Files, expected: Expected, columns: list[str]) -> tuple[pa.Table, list[str]] | None:
    """Return all outcomes of a cell, and the files that hold them; None if something is wrong with one, which is said.

    Args:
        files: Files of the store.
        expected: The cell, and what its shards must be.
        columns: Columns to read, with `index` among them.

    Raises:
        StoreError: A file cannot be read.
    """
    shards = shard.read_all(files, expected, columns)
    tables = _intact(files, shards)
    if len(tables) < len(shards):
        return None
    return _united(files, expected, tables, columns), [item.shard.name for item in shards]


def set_aside(files: Files, name: str) -> str:
    """Move a damaged or foreign file of a store into its folder `set-aside`; return the new name.

    Args:
        files: Files of the store, locked for writing.
        name: Name of the file within the store.
    """
    other = f"set-aside/{name}.{secrets.token_hex(3)}"
    files.rename(name, other)
    return other


def _intact(files: Files, shards: Sequence[ReadShard]) -> list[pa.Table]:
    """Return the outcomes of the shards without those with which something is wrong, of which it warns."""
    for item in shards:
        if item.outcomes is None:
            _warn(files, item, f"{item.shard.samples} are left out until the run is repeated")
    return [item.outcomes for item in shards if item.outcomes is not None]


def _united(files: Files, expected: Expected, tables: list[pa.Table], columns: list[str]) -> pa.Table:
    rows, contradicted = concatenate(tables, columns)
    if contradicted:
        path = files.path(f"cells/{expected.cell_id}")
        message = f"{path} holds two different outcomes of {len(contradicted)} samples, such as {contradicted[0]}"
        warnings.warn(f"{message}: those in the file with more samples count.", RobustEvalWarning, stacklevel=4)
    return rows


def _warn(files: Files, item: ReadShard, consequence: str) -> None:
    path = files.path(item.shard.name)
    warnings.warn(f"{path} {item.problem}: {consequence}.", RobustEvalWarning, stacklevel=5)
