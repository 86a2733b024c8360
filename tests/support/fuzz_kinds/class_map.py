"""Maps from classes to outputs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fuzzing import Kind
from strange_texts import read


def _samples(_folder: Path) -> Sequence[bytes]:
    return [
        b'{"a": [281, 282], "b": 151}',
        b"class,output\na,281,282\nb;151\n",
    ]


def _read(content: bytes, folder: Path) -> None:
    path = folder / "map.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    read(path)


KIND = Kind(_samples, _read, is_text=True)
