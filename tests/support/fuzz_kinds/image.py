"""Encoded images."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from fuzzing import Kind
from robustbench_eff.benchmarks.readers.decode import decode, is_turned

_FORMATS = ("PNG", "JPEG", "TIFF", "GIF", "WEBP", "BMP")


def _samples(_folder: Path) -> Sequence[bytes]:
    return [_encoded(name) for name in _FORMATS]


def _encoded(name: str) -> bytes:
    file, tags = io.BytesIO(), Image.Exif()
    tags[0x0112] = 6
    Image.linear_gradient("L").resize((24, 16)).convert("RGB").save(file, name, exif=tags)
    return file.getvalue()


def _read(content: bytes, _folder: Path) -> None:
    is_turned(content)
    decode(content, "image")


KIND = Kind(_samples, _read)
