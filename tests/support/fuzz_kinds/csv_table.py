"""Tables in CSV that label images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fuzzing import Kind
from read_images import read_images
from strange_files import png


def _samples(_folder: Path) -> Sequence[bytes]:
    rows = [f"{row}.png,{label}" for row, label in enumerate((1, 0, 1, 2))]
    return [
        "\n".join(["file,label", *rows]).encode(),
        "\r\n".join(["id;class;split", *(f'"{row}";"n{row}";test' for row in range(4))]).encode(),
    ]


def _read(content: bytes, folder: Path) -> None:
    (folder / "set").mkdir(exist_ok=True)
    for row in range(4):
        (folder / "set" / f"{row}.png").write_bytes(png(row))
    (folder / "set" / "labels.csv").write_bytes(content)
    read_images(folder / "set")


KIND = Kind(_samples, _read, is_text=True)
