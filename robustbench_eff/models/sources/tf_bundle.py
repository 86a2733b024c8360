"""TensorFlow's checkpoints (V2 bundles) without TensorFlow.

NAME.index is a sorted table from strings to protocol buffers, in LevelDB's format; NAME.data-00000-of-00001 contains
the values one after another.

The work is linear in the size of the files: blocks lie one behind the other, names rise, and variables do not overlap.

Source: tensorflow/core/protobuf/tensor_bundle.proto, tensorflow/core/lib/io/table_format.txt and, for the mask of
checksums, tensorflow/core/lib/hash/crc32c.h.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from robustbench_eff.core.crc32c import crc32c
from robustbench_eff.core.errors import ModelError
from robustbench_eff.core.outside_files import check_file, read_bytes

MAGIC, FOOTER = 0xDB4775248B80FB57, 48
"""The last eight bytes of a table, and the size of its footer in bytes."""
TRAILER = 5
"""Number of bytes after a block: the type of compression and a checksum."""
KINDS = {1: "<f4", 2: "<f8", 3: "<i4", 4: "<u1", 9: "<i8", 10: "?", 19: "<f2"}
"""NumPy data type by TensorFlow's number for it."""

MAX_INDEX_BYTES = 16 * 2**20
"""Largest index that is read; that of the largest published checkpoint has less than a megabyte."""
MAX_VARIABLES = 100_000
"""Largest number of variables."""
MAX_NAME_BYTES = 1024
"""Longest name of a variable."""
MAX_AXES, MAX_AXIS = 8, 2**31
"""Largest number of axes of a variable, and largest length of one."""
VARINT_BYTES = 10
"""Longest number in groups of seven bits."""
END_OF_INDEX, END_OF_DATA = ".index", ".data-00000-of-00001"
"""Ends of the names of the two files that are read."""

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
    checksum: int | None
    """Masked CRC-32C of its bytes; None if there is none."""


class _BlockHandle(NamedTuple):
    """Where a block is stored in the table, in bytes."""

    offset: int
    size: int


def is_bundle(path: Path) -> bool:
    """Return True if a file is the index of a bundle, by its name.

    Args:
        path: File of weights.
    """
    return path.suffix == END_OF_INDEX


def read_bundle(index: Path) -> dict[str, npt.NDArray[np.generic]]:
    """Return all numeric variables by name.

    Args:
        index: NAME.index, beside the file of values.

    Raises:
        ModelError: The files are not a bundle, they are not complete, or a checksum is not that of its bytes.
    """
    data = index.with_suffix(END_OF_DATA)
    table = read_bytes(index, ModelError, limit=MAX_INDEX_BYTES)
    if not data.exists():
        raise ModelError(
            f"{index} needs {data.name} in the same folder.",
            "A checkpoint consists of three files: keep them together.",
        )
    check_file(data, ModelError)
    try:
        entries = dict(_entries(table))
    except (ValueError, struct.error) as error:
        raise ModelError(
            f"{index} is not the index of a TensorFlow checkpoint, or is damaged: {error}.", "Give NAME.index."
        ) from error
    try:
        values = np.memmap(data, np.uint8, mode="r") if data.stat().st_size else np.empty(0, np.uint8)
    except OSError as error:
        raise ModelError(f"{data} cannot be read: {error.strerror or error}.") from error
    numeric = {name: entry for name, entry in entries.items() if entry.kind is not None}
    for name, entry in numeric.items():
        size = math.prod(entry.shape) * np.dtype(entry.kind).itemsize
        if entry.size != size or entry.offset + size > len(values):
            raise ModelError(f"{data} does not contain all of {name}.", "Is it truncated, or of another checkpoint?")
    if sum(entry.size for entry in numeric.values()) > len(values):
        raise ModelError(f"{index} is damaged: its variables overlap in {data.name}.", "Download it again.")
    return {name: _array(entry, values, data, name) for name, entry in numeric.items()}


def _array(entry: Entry, values: npt.NDArray[np.uint8], data: Path, name: str) -> npt.NDArray[np.generic]:
    content = values[entry.offset : entry.offset + entry.size].tobytes()
    if entry.checksum is not None and entry.checksum != masked(crc32c(content)):
        raise ModelError(f"{data} is damaged: the checksum of {name} is not that of its bytes.", "Download it again.")
    return np.frombuffer(content, np.dtype(entry.kind)).reshape(entry.shape)


def masked(checksum: int) -> int:
    """Return a checksum as it is stored, so that the checksum of stored checksums is a useful one.

    Args:
        checksum: CRC-32C.
    """
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _entries(table: bytes) -> Iterator[tuple[str, Entry]]:
    """Name and entry of every variable of the index."""
    if len(table) < FOOTER or struct.unpack("<Q", table[-8:])[0] != MAGIC:
        raise ValueError("the last bytes are not those of a LevelDB table")
    meta_block, position = _handle(table, len(table) - FOOTER)
    index_block, _ = _handle(table, position)
    for _ in _block(table, meta_block):  # of no use here, but a changed byte is to be said
        pass
    end, last, count = 0, b"", 0
    for _, handle in _block(table, index_block):
        data_block, _ = _handle(handle, 0)
        if data_block.offset < end:
            raise ValueError("its blocks overlap")
        end = data_block.offset + data_block.size + TRAILER
        for key, value in _block(table, data_block):
            if count and key <= last:
                raise ValueError("its names are not in order")
            last, count = key, count + 1
            if count > MAX_VARIABLES:
                raise ValueError(f"it has more than {MAX_VARIABLES:,} variables")
            if key:
                yield key.decode(), _entry(value)
            else:
                _check_header(value)


def _check_header(content: bytes) -> None:
    header = dict(_fields(content))
    if header.get(1, 0) != 1 or header.get(2, 0) != 0:
        raise ValueError("only checkpoints with one little-endian file of values are supported")


def _entry(content: bytes) -> Entry:
    fields = dict(_fields(content))
    if 7 in fields:
        raise ValueError("a variable is stored in slices")
    shape, checksum = fields.get(2, b""), fields.get(6)
    if not isinstance(shape, bytes) or not isinstance(checksum, bytes | None):
        raise ValueError("an entry has fields of other types")
    sizes = []
    for number, value in _fields(shape):
        if number == 2 and isinstance(value, bytes):
            sizes.append(_number(dict(_fields(value)), 1))
    if len(sizes) > MAX_AXES or max(sizes, default=0) > MAX_AXIS:
        raise ValueError(f"a variable has more than {MAX_AXES} axes, or one longer than {MAX_AXIS:,}")
    return Entry(
        kind=KINDS.get(_number(fields, 1)),
        shape=tuple(sizes),
        offset=_number(fields, 4),
        size=_number(fields, 5),
        checksum=None if checksum is None else int.from_bytes(checksum, "little"),
    )


def _number(fields: dict[int, int | bytes], key: int) -> int:
    """A field that is a number, by default 0."""
    value = fields.get(key, 0)
    if not isinstance(value, int):
        raise ValueError("an entry has fields of other types")
    return value


def _block(table: bytes, handle: _BlockHandle) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of a block; every key is stored without the beginning that it shares with the key before."""
    offset, size = handle
    block, trailer = table[offset : offset + size], table[offset + size : offset + size + TRAILER]
    if len(block) < size or len(trailer) < TRAILER or size < 4:
        raise ValueError("it is truncated")
    if trailer[0] != 0:
        raise ValueError("it is compressed, which TensorFlow does not do")
    if masked(crc32c(block + trailer[:1])) != int.from_bytes(trailer[1:], "little"):
        raise ValueError("the checksum of a block is not that of its bytes")
    (restarts,) = struct.unpack("<I", block[-4:])
    end, position, key = len(block) - 4 - 4 * restarts, 0, b""
    if end < 0:
        raise ValueError("a block is smaller than the list at its end")
    while position < end:
        shared, position = _varint(block, position)
        rest, position = _varint(block, position)
        length, position = _varint(block, position)
        if shared > len(key) or position + rest + length > end or shared + rest > MAX_NAME_BYTES:
            raise ValueError("a name or its entry goes beyond its block")
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
        if position > len(content):
            raise ValueError("a field goes beyond its entry")
        fields.append((tag >> 3, value))
    return fields


def _varint(content: bytes, position: int) -> tuple[int, int]:
    """The number at a position, in groups of seven bits with the lowest first, and the position after it."""
    value = 0
    for group, byte in enumerate(content[position : position + VARINT_BYTES]):
        value |= (byte & 0x7F) << 7 * group
        if byte < 0x80:
            return value, position + group + 1
    raise ValueError("a number has no end")
