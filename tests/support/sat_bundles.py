"""Writes TensorFlow checkpoints as TensorFlow does, without it."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

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


def write_bundle(prefix: Path, values: dict[str, np.ndarray], shards: int = 1, compressed: int = 0) -> Path:
    """NAME.index and NAME.data-00000-of-00001; several blocks, each with its trailer."""
    rows, data = [(b"", field(1, shards) + field(3, field(1, 1)))], b""
    for name in sorted(values):
        value = values[name]
        shape = b"".join(field(2, field(1, size)) for size in value.shape)
        place = (field(4, len(data)) if data else b"") + field(5, value.nbytes)
        rows.append((name.encode(), field(1, KINDS[value.dtype]) + field(2, shape) + place + b"\x35\0\0\0\0"))
        data += value.tobytes()
    table, handles = b"", []
    for start in range(0, len(rows), 50):
        part = block(rows[start : start + 50])
        handles.append((rows[min(start + 49, len(rows) - 1)][0], varint(len(table)) + varint(len(part))))
        table += part + bytes([compressed, 0, 0, 0, 0])
    places = []
    for part in (block([]), block(handles)):
        places.append(varint(len(table)) + varint(len(part)))
        table += part + bytes(5)
    footer = b"".join(places)
    index = prefix.with_name(f"{prefix.name}.index")
    index.write_bytes(table + footer + bytes(40 - len(footer)) + struct.pack("<Q", 0xDB4775248B80FB57))
    prefix.with_name(f"{prefix.name}.data-00000-of-00001").write_bytes(data)
    return index
