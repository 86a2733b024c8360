"""TensorFlow's checkpoints (V2 bundles) without TensorFlow.

NAME.index is a sorted table from strings to protocol buffers, in LevelDB's format; NAME.data-00000-of-00001 contains
the values one after another.

Source: tensorflow/core/protobuf/tensor_bundle.proto and tensorflow/core/lib/io/table_format.txt.
Differs: checksums are not verified, which would take minutes in Python; the size of every value is.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from robustbench_eff.core.errors import ModelError

MAGIC, FOOTER = 0xDB4775248B80FB57, 48
"""The last eight bytes of a table, and the size of its footer in bytes."""
TRAILER = 5
"""Number of bytes after a block: the type of compression and a checksum."""
KINDS = {1: "<f4", 2: "<f8", 3: "<i4", 4: "<u1", 9: "<i8", 10: "?", 19: "<f2"}
"""NumPy data type by TensorFlow's number for it."""

Fields = list[tuple[int, int | bytes]]
"""Fields of a protocol buffer: number and value."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a variable is stored in the file of values."""

    kind: str | None
    """NumPy data type; None for a variable that is not numeric."""
    shape: tuple[int, ...]
    """Shape of the variable."""
    offset: int
    """Position of its first byte."""
    size: int
    """Number of its bytes."""


class _BlockHandle(NamedTuple):
    """Where a block is stored in the table, in bytes."""

    offset: int
    size: int


def is_bundle(path: Path) -> bool:
    """Return True if a file is the index of a bundle, by its name.

    Args:
        path: File of weights.
    """
    return path.suffix == ".index"


def read_bundle(index: Path) -> dict[str, npt.NDArray[np.generic]]:
    """Return all numeric variables by name.

    Args:
        index: NAME.index, beside the file of values.

    Raises:
        ModelError: The files are not a bundle, or they are not complete.
    """
    data = index.with_suffix(".data-00000-of-00001")
    if not data.is_file():
        raise ModelError(
            f"{index} needs {data.name} in the same folder.",
            "A checkpoint consists of three files: keep them together.",
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
        raise ModelError(f"{data} does not contain all of {name}.", "Is it truncated, or of another checkpoint?")
    content = values[entry.offset : entry.offset + entry.size]
    return np.frombuffer(content.tobytes(), kind).reshape(entry.shape)


def _entries(table: bytes) -> Iterator[tuple[str, Entry]]:
    """Name and entry of every variable of the index."""
    if len(table) < FOOTER or struct.unpack("<Q", table[-8:])[0] != MAGIC:
        raise ValueError("the last bytes are not those of a LevelDB table")
    _, position = _handle(table, len(table) - FOOTER)
    index_block, _ = _handle(table, position)
    for _, handle in _block(table, index_block):
        data_block, _ = _handle(handle, 0)
        for key, value in _block(table, data_block):
            if not key:
                _check_header(value)
            else:
                yield key.decode(), _entry(value)


def _check_header(content: bytes) -> None:
    header = dict(_fields(content))
    if header.get(1, 0) != 1 or header.get(2, 0) != 0:
        raise ValueError("only checkpoints with one little-endian file of values are supported")


def _entry(content: bytes) -> Entry:
    fields = dict(_fields(content))
    if 7 in fields:
        raise ValueError("a variable is stored in slices")
    kind, shape, offset, size = (fields.get(number, 0) for number in (1, 2, 4, 5))
    assert isinstance(kind, int) and isinstance(offset, int) and isinstance(size, int)
    dimensions = [dict(_fields(value)) for number, value in _fields(shape or b"") if number == 2]  # type: ignore[arg-type]
    sizes = tuple(int(dimension.get(1, 0)) for dimension in dimensions)
    return Entry(KINDS.get(kind), sizes, offset, size)


def _block(table: bytes, handle: _BlockHandle) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of a block; every key is stored without the beginning that it shares with the key before."""
    offset, size = handle
    block, trailer = table[offset : offset + size], table[offset + size : offset + size + TRAILER]
    if len(block) < size or len(trailer) < TRAILER:
        raise ValueError("it is truncated")
    if trailer[0] != 0:
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


def _handle(content: bytes, position: int) -> tuple[_BlockHandle, int]:
    """The handle at a position, and the position after it."""
    offset, position = _varint(content, position)
    size, position = _varint(content, position)
    return _BlockHandle(offset, size), position


def _fields(content: bytes) -> Fields:
    """The fields of a protocol buffer, in their order."""
    fields: Fields = []
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
                raise ValueError(f"a field has the unknown wire type {wire}")
        fields.append((tag >> 3, value))
    return fields


def _varint(content: bytes, position: int) -> tuple[int, int]:
    """The number at a position, in groups of seven bits with the lowest first, and the position after it."""
    value = shift = 0
    while True:
        byte = content[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position
