"""Parquet with images and labels, as far as its own check."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from fuzzing import Kind
from robustbench_eff.benchmarks.readers.hub_files import check_data_file
from strange_files import png


def _samples(_folder: Path) -> Sequence[bytes]:
    images = [{"bytes": png(row), "path": f"{row}.png"} for row in range(4)]
    return [_table(image=images, label=[1, 0, 1, 2]), _table(jpg=[png()] * 400, cls=["b"] * 400)]


def _table(**columns: list[object]) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


def _read(content: bytes, folder: Path) -> None:
    (folder / "set.parquet").write_bytes(content)
    check_data_file(folder / "set.parquet")


KIND = Kind(_samples, _read)
