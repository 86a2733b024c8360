"""Writes TensorFlow checkpoints as TensorFlow does, without it."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from robustbench_eff.core.crc32c import crc32c
from robustbench_eff.models.sources.tf_bundle import masked

KINDS = {np.dtype(np.float32): 1, np.dtype(np.int64): 9, np.dtype(np.int32): 3}


def varint(number: int) -> bytes:
    found = bytearray()
    while number >= 0x80:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def block(rows: list[tuple[bytes, bytes]], restart_every: int = 16) -> bytes:
    """As LevelDB writes it: keys share what they begin with, but for every sixteenth."""
    content, restarts, last = b"", [], b""
    for number, (key, value) in enumerate(rows):
        shared = 0
        if number % restart_every:
            while shared < min(len(last), len(key)) and last[shared] == key[shared]:
                shared += 1
        else:
            restarts.append(len(content))
        content += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        last = key
    return content + struct.pack(f"<{len(restarts)}I", *restarts) + struct.pack("<I", len(restarts))


def stored_checksum(content: bytes) -> bytes:
    return struct.pack("<I", masked(crc32c(content)))


def closed(content: bytes, compressed: int = 0) -> bytes:
    """A block with its trailer: the kind of compression, and the checksum of both."""
    return content + bytes([compressed]) + stored_checksum(content + bytes([compressed]))


def write_table(path: Path, blocks: list[list[tuple[bytes, bytes]]], compressed: int = 0) -> Path:
    """A table of LevelDB, of blocks of keys and values."""
    table, handles = b"", []
    for rows in blocks:
        part = block(rows)
        handles.append((rows[-1][0] if rows else b"", varint(len(table)) + varint(len(part))))
        table += closed(part, compressed)
    places = []
    for part in (block([]), block(handles)):
        places.append(varint(len(table)) + varint(len(part)))
        table += closed(part)
    footer = b"".join(places)
    path.write_bytes(table + footer + bytes(40 - len(footer)) + struct.pack("<Q", 0xDB4775248B80FB57))
    return path


def header(shards: int = 1) -> tuple[bytes, bytes]:
    """The first row of an index: number of files, version."""
    return b"", field(1, shards) + field(3, field(1, 1))


def entry(kind: int, shape: tuple[int, ...], offset: int, size: int, checksum: bytes | None) -> bytes:
    axes = b"".join(field(2, field(1, length)) for length in shape)
    place = (field(4, offset) if offset else b"") + field(5, size)
    return field(1, kind) + field(2, axes) + place + (b"" if checksum is None else b"\x35" + checksum)


def write_bundle(prefix: Path, values: dict[str, np.ndarray], shards: int = 1, compressed: int = 0) -> Path:
    """NAME.index and NAME.data-00000-of-00001; several blocks, each with its trailer."""
    rows, data = [header(shards)], b""
    for name in sorted(values):
        content = values[name].tobytes()
        kind, shape = KINDS[values[name].dtype], values[name].shape
        rows.append((name.encode(), entry(kind, shape, len(data), len(content), stored_checksum(content))))
        data += content
    blocks = [rows[start : start + 50] for start in range(0, len(rows), 50)]
    prefix.with_name(f"{prefix.name}.data-00000-of-00001").write_bytes(data)
    return write_table(prefix.with_name(f"{prefix.name}.index"), blocks, compressed)
