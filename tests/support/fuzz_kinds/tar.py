"""Tars of class folders, and of images with labels beside them."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

from fuzzing import Kind
from read_images import read_images
from strange_files import png


def _samples(_folder: Path) -> Sequence[bytes]:
    return [
        _tar(*(f"{label}/{row}.png" for row, label in enumerate("baab"))),
        _tar("set/b/0.png", "set/a/1.png", "notes"),
    ]


def _tar(*names: str) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for row, name in enumerate(names):
            info = tarfile.TarInfo(name)
            info.size = len(png(row))
            archive.addfile(info, io.BytesIO(png(row)))
    return file.getvalue()


def _read(content: bytes, folder: Path) -> None:
    (folder / "set.tar").write_bytes(content)
    read_images(folder / "set.tar")


KIND = Kind(_samples, _read)
