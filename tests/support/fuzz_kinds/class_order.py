"""Lists of classes in the order of the outputs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fuzzing import Kind
from strange_texts import read


def _samples(_folder: Path) -> Sequence[bytes]:
    return [
        b'["b", "a"]',
        b'{"b": 0, "a": 1, "c": 2}',
        b'{"id2label": {"0": "a", "1": "b"}, "architectures": ["Net"]}',
        b"b\na\n",
    ]


def _read(content: bytes, folder: Path) -> None:
    path = folder / "order.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    read(path)


KIND = Kind(_samples, _read, is_text=True)
