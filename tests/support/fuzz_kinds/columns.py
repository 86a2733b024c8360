"""Layouts of tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fuzzing import Kind
from strange_texts import read


def _samples(_folder: Path) -> Sequence[bytes]:
    return [
        b"title: a\nsort: [b]\ndigits: 3\ncolumns:\n- {label: b, benchmark: 'imagenet*|digits', metric: accuracy}\n",
    ]


def _read(content: bytes, folder: Path) -> None:
    path = folder / "columns.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    read(path)


KIND = Kind(_samples, _read, is_text=True)
