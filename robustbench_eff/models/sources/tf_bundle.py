"""TensorFlow's checkpoints (V2 bundles) without TensorFlow.

NAME.index is a sorted table of strings to protocol buffers, as LevelDB writes them; NAME.data-00000-of-00001 holds the
values one after the other.

Source: tensorflow/core/protobuf/tensor_bundle.proto and tensorflow/core/lib/io/table_format.txt.
Differs: checksums are not looked at, which would take minutes in Python; that every value is there whole is.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from robustbench_eff.core.errors import ModelError

MAGIC, FOOTER = 0xDB4775248B80FB57, 48
TRAILER = 5
"""Bytes behind a block: how it is compressed, and a checksum."""
KINDS = {1: "<f4", 2: "<f8", 3: "<i4", 4: "<u1", 9: "<i8", 10: "?", 19: "<f2"}
"""NumPy's names of TensorFlow's kinds of numbers."""

Fields = list[tuple[int, int | bytes]]
"""Of a protocol buffer: numbers of fields, and what they hold."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a variable lies in the file of values."""

    kind: str | None
    """None for what is no number."""
    shape: tuple[int, ...]
    offset: int
    size: int


def is_bundle(path: Path) -> bool:
    """Whether the file is the index of a bundle, by its name."""
    return path.suffix == ".index"


def read_bundle(index: Path) -> dict[str, npt.NDArray[np.generic]]:
    """All variables that are numbers, by name; ModelError for files that are no bundle, or not all of one."""
    data = index.with_suffix(".data-00000-of-00001")
    if not data.is_file():
        raise ModelError(
            f"{index} needs {data.name} beside it.", "A checkpoint is a triple of files: keep them together."
        )
    try:
        entries = dict(_entries(index.read_bytes()))
    except (ValueError, IndexError, struct.error) as error:
        raise ModelError(
            f"{index} is not the index of a TensorFlow checkpoint: {error}.", "Give NAME.index."
        ) from error
    values = np.memmap(data, np.uint8, mode="r") if data.stat().st_size else np.empty(0, np.uint8)
    return {name: _array(entry, values, data, name) for name, entry in entries.items() if entry.kind is not None}


def _array(entry: Entry, values: npt.NDArray[np.uint8], data: Path, name: str) -> npt.NDArray[np.generic]:
    kind = np.dtype(entry.kind)
    needed = int(np.prod(entry.shape, dtype=np.int64)) * kind.itemsize
    if entry.size != needed or entry.offset + entry.size > len(values):
        raise ModelError(f"{data} does not hold {name} whole.", "Is it cut short, or of another checkpoint?")
    part = values[entry.offset : entry.offset + entry.size]
    return np.frombuffer(part.tobytes(), kind).reshape(entry.shape)


def _entries(table: bytes) -> Iterator[tuple[str, Entry]]:
    """Every variable of the index."""
    if len(table) < FOOTER or struct.unpack("<Q", table[-8:])[0] != MAGIC:
        raise ValueError("the last bytes are not those of such a table")
    _, position = _handle(table, len(table) - FOOTER)
    (offset, size), _ = _handle(table, position)
    for _, handle in _block(table, offset, size):
        (start, length), _ = _handle(handle, 0)
        for key, value in _block(table, start, length):
            if not key:
                _check_header(value)
            else:
                yield key.decode(), _entry(value)


def _check_header(content: bytes) -> None:
    header = dict(_fields(content))
    if header.get(1, 0) != 1 or header.get(2, 0) != 0:
        raise ValueError("only checkpoints in one little-endian file of values are read")


def _entry(content: bytes) -> Entry:
    fields = dict(_fields(content))
    if 7 in fields:
        raise ValueError("a variable is stored in slices")
    kind, shape, offset, size = (fields.get(number, 0) for number in (1, 2, 4, 5))
    assert isinstance(kind, int) and isinstance(offset, int) and isinstance(size, int)
    dimensions = [dict(_fields(held)) for number, held in _fields(shape or b"") if number == 2]  # type: ignore[arg-type]
    sizes = tuple(int(dimension.get(1, 0)) for dimension in dimensions)
    return Entry(KINDS.get(kind), sizes, offset, size)


def _block(table: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of a block; a key begins as the one before it did."""
    block, compressed = table[offset : offset + size], table[offset + size : offset + size + TRAILER]
    if len(block) < size or len(compressed) < TRAILER:
        raise ValueError("it is cut short")
    if compressed[0] != 0:
        raise ValueError("it is compressed, which TensorFlow does not do")
    (restarts,) = struct.unpack("<I", block[-4:])
    end, position, key = len(block) - 4 - 4 * restarts, 0, b""
    while position < end:
        shared, position = _varint(block, position)
        rest, position = _varint(block, position)
        length, position = _varint(block, position)
        key = key[:shared] + block[position : position + rest]
        position += rest
        yield key, block[position : position + length]
        position += length


def _handle(content: bytes, position: int) -> tuple[tuple[int, int], int]:
    """Offset and size of a block, and where what follows begins."""
    offset, position = _varint(content, position)
    size, position = _varint(content, position)
    return (offset, size), position


def _fields(content: bytes) -> Fields:
    """The fields of a protocol buffer, in their order."""
    found: Fields = []
    position = 0
    while position < len(content):
        tag, position = _varint(content, position)
        value: int | bytes
        match tag & 7:
            case 0:
                value, position = _varint(content, position)
            case 1:
                value, position = content[position : position + 8], position + 8
            case 2:
                length, position = _varint(content, position)
                value, position = content[position : position + length], position + length
            case 5:
                value, position = content[position : position + 4], position + 4
            case wire:
                raise ValueError(f"a field has the unknown form {wire}")
        found.append((tag >> 3, value))
    return found


def _varint(content: bytes, position: int) -> tuple[int, int]:
    """A number in groups of seven bits, the lowest first, and where what follows begins."""
    value = shift = 0
    while True:
        byte = content[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position
