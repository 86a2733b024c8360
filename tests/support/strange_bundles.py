"""TensorFlow checkpoints that are damaged or made to take forever, and the sentence that each must give."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from sat_bundles import block, closed, entry, field, header, varint, write_bundle, write_table

VALUES = {"a": np.arange(10, dtype=np.float32), "b": np.ones(4, np.float32)}
END_OF_DATA = ".data-00000-of-00001"
Write = Callable[[Path], Path]


def changed(change: Callable[[bytes], bytes]) -> Write:
    """A good checkpoint whose index is changed."""

    def write(folder: Path) -> Path:
        index = write_bundle(folder / "model", VALUES)
        index.write_bytes(change(index.read_bytes()))
        return index

    return write


def table(blocks: list[list[tuple[bytes, bytes]]], data: bytes = bytes(64)) -> Write:
    """An index with these rows, whose checksums are right."""

    def write(folder: Path) -> Path:
        (folder / f"model{END_OF_DATA}").write_bytes(data)
        return write_table(folder / "model.index", blocks)

    return write


def rows(*entries: tuple[str, bytes]) -> list[list[tuple[bytes, bytes]]]:
    return [[header(), *((name.encode(), value) for name, value in entries)]]


def floats(shape: tuple[int, ...], size: int, offset: int = 0, checksum: bytes | None = None) -> bytes:
    return entry(1, shape, offset, size, checksum)


def one_block_many_times(folder: Path) -> Path:
    """An index of 66 kB whose 5,000 handles all name one block."""
    (folder / f"model{END_OF_DATA}").write_bytes(bytes(64))
    first = block([header(), *((f"v{number:05}".encode(), floats((1,), 4)) for number in range(1000))])
    whole = closed(first)
    handles = block([(f"w{number:05}".encode(), varint(0) + varint(len(first))) for number in range(5000)])
    empty = len(whole)
    whole += closed(block([]))
    place = len(whole)
    whole += closed(handles)
    footer = varint(empty) + varint(len(block([]))) + varint(place) + varint(len(handles))
    path = folder / "model.index"
    path.write_bytes(whole + footer + bytes(40 - len(footer)) + (0xDB4775248B80FB57).to_bytes(8, "little"))
    return path


def flipped_value(folder: Path) -> Path:
    index = write_bundle(folder / "model", VALUES)
    data = index.with_suffix(END_OF_DATA)
    content = bytearray(data.read_bytes())
    content[41] ^= 4
    data.write_bytes(content)
    return index


def data_is(make: Callable[[Path], object]) -> Write:
    def write(folder: Path) -> Path:
        index = write_bundle(folder / "model", VALUES)
        data = index.with_suffix(END_OF_DATA)
        data.unlink()
        make(data)
        return index

    return write


def endless_number(content: bytes) -> bytes:
    return content[:-48] + b"\xff" * 40 + content[-8:]


BUNDLES: dict[str, tuple[Write, str]] = {
    "empty": (changed(lambda index: b""), "the last bytes are not"),
    "text": (changed(lambda index: b"no table at all" * 10), "the last bytes are not"),
    "cut off": (changed(lambda index: index[:-5]), "the last bytes are not"),
    "only the end": (changed(lambda index: index[-48:]), "truncated|checksum"),
    "a flipped bit": (changed(lambda index: bytes([index[0] ^ 1]) + index[1:]), "the checksum of a block"),
    "a flipped bit of a name": (
        changed(lambda index: index.replace(b"a\x08\x01", b"c\x08\x01")),
        "the checksum of a block",
    ),
    "a flipped bit of a value": (flipped_value, "the checksum of b is not that of its bytes"),
    "a number without an end": (changed(endless_number), "a number has no end"),
    "handles beyond the file": (
        changed(lambda index: index[:-48] + b"\xff\xff\xff\x7f" * 10 + index[-8:]),
        "truncated",
    ),
    "one block five thousand times": (one_block_many_times, "its blocks overlap"),
    "names out of order": (table(rows(("b", floats((1,), 4)), ("a", floats((1,), 4)))), "names are not in order"),
    "a name twice": (table(rows(("a", floats((1,), 4)), ("a", floats((1,), 4)))), "names are not in order"),
    "long names": (table(rows(("n" * 1100, floats((1,), 4)))), "goes beyond its block"),
    "a name in no UTF-8": (table([[header(), (b"\xff\xfe", floats((1,), 4))]]), "is damaged: "),
    "10^15 values": (table(rows(("a", floats((10**15,), 64)))), "one longer than"),
    "10^18 values": (table(rows(("a", floats((10**6,) * 3, 64)))), "does not contain all of a"),
    "many axes": (table(rows(("a", floats((1,) * 9, 4)))), "more than 8 axes"),
    "an overflowing product": (table(rows(("a", floats((2**31,) * 6, 0)))), "does not contain all of a"),
    "another size": (table(rows(("a", floats((4,), 12)))), "does not contain all of a"),
    "beyond the data": (table(rows(("a", floats((4,), 16, offset=60)))), "does not contain all of a"),
    "overlapping variables": (
        table(rows(*((f"v{number:03}", floats((16,), 64)) for number in range(500)))),
        "its variables overlap",
    ),
    "an entry of another type": (table(rows(("a", field(1, b"x") + field(5, 4)))), "fields of other types"),
    "a shape of another type": (table(rows(("a", field(1, 1) + field(2, 7)))), "fields of other types"),
    "a field beyond its entry": (table(rows(("a", b"\x12\x7f\x01"))), "a field goes beyond its entry"),
    "an unknown wire type": (table(rows(("a", b"\x0f"))), "unknown wire type 7"),
    "in slices": (table(rows(("a", field(7, b"")))), "stored in slices"),
    "several files": (lambda folder: write_bundle(folder / "model", VALUES, shards=2), "one little-endian file"),
    "compressed": (lambda folder: write_bundle(folder / "model", VALUES, compressed=1), "it is compressed"),
    "without its data": (data_is(lambda data: None), "needs model.data-00000-of-00001 in the same folder"),
    "data of no bytes": (data_is(lambda data: data.touch()), "does not contain all of a"),
    "an endless device as data": (data_is(lambda data: data.symlink_to("/dev/zero")), "is a device"),
    "a folder as data": (data_is(lambda data: data.mkdir()), "is a folder"),
}
