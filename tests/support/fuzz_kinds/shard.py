"""Shards whose names have the checksum of the changed content, so that the Parquet file itself is read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fuzzing import Kind
from lying_stores import SAMPLES, make
from robustbench_eff.storage.outcomes import SCHEMA
from robustbench_eff.storage.shard import Expected, checksum, parse_name, read


def _samples(folder: Path) -> Sequence[bytes]:
    return [file.read_bytes() for file in sorted(make(folder / "store").glob("cells/*/*.parquet"))]


def _read(content: bytes, folder: Path) -> None:
    name = f"00000000-{SAMPLES:08d}.{checksum(content)}.parquet"
    read(parse_name(name), content, Expected("cell", SAMPLES, 4), SCHEMA.names)


KIND = Kind(_samples, _read)
