"""What odd files have in common: how they are written, and how they are read."""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

LARGE = 3 * 2**30
"""Bytes that unpack from a small file: more than a reader is given."""


class Strange(NamedTuple):
    """A file, and what must become of it."""

    make: Callable[[Path], Path]
    """Write it into a folder, and return what a user would pass."""
    says: str
    """Words of the sentence that refuses it, as a regular expression; or `read` and what was read."""


def written(content: bytes | str, name: str) -> Callable[[Path], Path]:
    """A single file with this content."""
    return partial(_write, content=content.encode() if isinstance(content, str) else content, name=name)


def _write(folder: Path, content: bytes, name: str) -> Path:
    (folder / name).write_bytes(content)
    return folder / name


def pipe(name: str) -> Callable[[Path], Path]:
    """A named pipe that nobody writes to."""

    def make(folder: Path) -> Path:
        os.mkfifo(folder / name)
        return folder / name

    return make


def endless(name: str) -> Callable[[Path], Path]:
    """A link to a device that never ends."""

    def make(folder: Path) -> Path:
        (folder / name).symlink_to("/dev/zero")
        return folder / name

    return make


def png(shade: int = 0) -> bytes:
    """A small image."""
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (shade, 0, 0)).save(file, "PNG")
    return file.getvalue()


def npy(array: np.ndarray) -> bytes:
    """An array as NumPy writes it."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npy_header(text: str, values: bytes = b"", version: int = 1) -> bytes:
    """An array of NumPy with any header."""
    header = text.encode() + b"\n"
    return (
        b"\x93NUMPY" + bytes([version, 0]) + len(header).to_bytes(2 if version == 1 else 4, "little") + header + values
    )


def npz(*members: tuple[str, bytes]) -> bytes:
    """An archive of NumPy with any members."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


def deflated_zeros(size: int, start: bytes = b"") -> bytes:
    """A raw deflate stream of some bytes and then zeros, made from one block that is repeated."""
    packer, block = zlib.compressobj(9, zlib.DEFLATED, -15), 2**24
    first = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(bytes(block)) + packer.flush(zlib.Z_FULL_FLUSH)
    return first + again * (size // block) + packer.flush()


def gzip_bomb(size: int = LARGE, start: bytes = b"") -> bytes:
    """A gzip file that unpacks to some bytes and then zeros; its checksum is wrong, which is found at its end only."""
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + deflated_zeros(size, start) + bytes(8)


def zip_bomb(name: str, start: bytes, *others: tuple[str, bytes]) -> bytes:
    """A zip archive with one member that unpacks to some bytes and then zeros, and others."""
    bomb = deflated_zeros(LARGE, start)
    members = [(name, 8, bomb, len(start) + LARGE), *((other, 0, content, len(content)) for other, content in others)]
    content, entries = b"", b""
    for each, method, packed, size in members:
        checksum = zlib.crc32(packed) if method == 0 else 0  # that of the bomb is wrong, which is found at its end only
        common = struct.pack("<HHHHHIIIHH", 20, 0, method, 0, 0, checksum, len(packed), size, len(each), 0)
        entries += b"PK\x01\x02\x14\0" + common + struct.pack("<HHHII", 0, 0, 0, 0, len(content)) + each.encode()
        content += b"PK\x03\x04" + common + each.encode() + packed
    count = len(members)
    return (
        content + entries + b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, count, count, len(entries), len(content), 0)
    )
