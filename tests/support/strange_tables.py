"""Odd tables that label images: CSV and Parquet; and odd tars."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from strange_files import LARGE, Strange, endless, npz, pipe, png, written

COUNT = 4
READ = r"read \[1, 0, 1, 2\]"
ROWS = "".join(f"{row}.png,{label}\n" for row, label in enumerate((1, 0, 1, 2)))


def _csv(text: str | bytes, name: str = "labels.csv") -> Callable[[Path], Path]:
    """A folder of four images, and a table of them."""

    def make(folder: Path) -> Path:
        for row in range(COUNT):
            (folder / f"{row}.png").write_bytes(png(row))
        written(text, name)(folder)
        return folder

    return make


def _csv_file(text: str | bytes) -> Callable[[Path], Path]:
    return lambda folder: _csv(text)(folder) / "labels.csv"


def _many_rows(folder: Path) -> Path:
    path = _csv("file,label\n")(folder)
    with (path / "labels.csv").open("ab") as file:
        file.writelines([b"0.png,1\n" * 2**17] * 20)
    return path


def _holes(folder: Path) -> Path:
    """A table of many gigabytes that takes no space on the disk."""
    path = _csv("file,label\n0.png,1\n")(folder)
    os.truncate(path / "labels.csv", 40 * 2**30)
    return path


def _pipe_beside(folder: Path) -> Path:
    path = _csv("", "notes.txt")(folder)
    os.mkfifo(path / "labels.csv")
    return path


def _pipe_as_image(folder: Path) -> Path:
    path = _csv(f"file,label\n{ROWS}")(folder)
    (path / "2.png").unlink()
    os.mkfifo(path / "2.png")
    return path


CSV = {
    "plain": Strange(_csv(f"file,label\n{ROWS}"), READ),
    "semicolons": Strange(_csv(f"file,label\n{ROWS}".replace(",", ";")), READ),
    "line ends of old Macs": Strange(_csv(f"file,label\n{ROWS}".replace("\n", "\r")), READ),
    "mark of UTF-8": Strange(_csv(f"\ufefffile,label\n{ROWS}"), READ),
    "UTF-16": Strange(_csv(f"file,label\n{ROWS}".encode("utf-16")), "not.*UTF-8|cannot be read as labelled"),
    "UTF-16 file": Strange(_csv_file(f"file,label\n{ROWS}".encode("utf-16")), "UTF-8"),
    "Latin-1": Strange(_csv(f"file,label\n{ROWS}3.png,\xe9\n".encode("latin-1")), "not UTF-8"),
    "a line that tells the separator": Strange(_csv_file(f"sep=;\nfile;label\n{ROWS}".replace(",", ";")), READ),
    "null byte in a name": Strange(_csv("file,label\n0\0.png,1\n"), "is not in"),
    "only null bytes": Strange(_csv_file(bytes(5000)), "does not have any rows"),
    "quotation mark without an end": Strange(_csv(f'file,label\n"0.png,1\n{ROWS}'), "quotation mark"),
    "long quotation without an end": Strange(_csv(f'file,label\n"0.png,1\n{ROWS * 20000}'), "line 2|field"),
    "a long cell": Strange(_csv(f"file,label\n0.png,{'1' * 200000}\n"), "longer than"),
    "a long line": Strange(_csv_file("a" * 10**7), "does not have any rows"),
    "a long name of a file": Strange(_csv(f"file,label\n{'a' * 5000},1\n"), "is not in"),
    "a long name of a class": Strange(_csv(f"file,label\n0.png,{'a' * 100000}\n1.png,b\n"), "longer than"),
    "many columns": Strange(_csv_file(f"{',' * 10**6}file,label\n" + "a\n" * 1000), "columns"),
    "many rows": Strange(_many_rows, "rows|lines 2 and 3"),
    "gigabytes": Strange(_holes, "MiB"),
    "rows of unequal length": Strange(_csv("file,label\n0.png,1,7,8\n1.png\n"), "line 3: the file name or the label"),
    "an extra cell": Strange(_csv("file,label\n0.png,1,7,8\n1.png,0\n"), r"read \[1, 0\]"),
    "equal columns": Strange(_csv(f"file,label,label\n{ROWS}"), "columns named"),
    "only a header": Strange(_csv("file,label\n"), "does not have any rows"),
    "empty": Strange(_csv_file(""), "is empty"),
    "blank lines": Strange(_csv(f"file,label\n\n\n{ROWS}\n\n"), READ),
    "header in capitals and spaces": Strange(_csv(f" FILE , Label \n{ROWS}"), READ),
    "NaN label": Strange(_csv("file,label\n0.png,NaN\n1.png,1\n"), "missing label"),
    "huge number": Strange(_csv(f"file,label\n0.png,{'9' * 5000}\n1.png,1\n"), "label|read"),
    "float label": Strange(_csv("file,label\n0.png,1.0\n1.png,0\n"), r"read \[1, 0\]"),
    "Arabic digits": Strange(_csv("file,label\n0.png,٣\n1.png,٤\n"), r"read \[0, 1\]"),
    "name of a folder above": Strange(
        _csv("file,label\n../../../../etc/passwd,1\n1.png,0\n"), "not an image|cannot be decoded"
    ),
    "name of a device": Strange(_csv("file,label\n/dev/zero,1\n"), "/dev/zero"),
    "named pipe": Strange(pipe("labels.csv"), "is a named pipe"),
    "named pipe in a folder": Strange(_pipe_beside, "named pipe|cannot be read as labelled"),
    "named pipe as an image": Strange(_pipe_as_image, "2.png"),
    "endless": Strange(endless("labels.csv"), "is a device"),
    "escape sequences": Strange(_csv("file,label\n0.png,\x1b[31mred\x07\n1.png,\u202egreen\n"), r"read \[0, 1\]"),
}


def _parquet(labels: Any, images: Any = None, **options: Any) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        shown = [{"bytes": png(row), "path": f"{row}.png"} for row in range(COUNT)] if images is None else images
        columns = {"image": shown, "label": labels}
        pq.write_table(pa.table(columns), folder / "test.parquet", **options)
        return folder / "test.parquet"

    return make


def _table(*columns: tuple[str, Any]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        arrays = [values if isinstance(values, pa.Array) else pa.array(values) for _, values in columns]
        pq.write_table(pa.Table.from_arrays(arrays, [name for name, _ in columns]), folder / "test.parquet")
        return folder / "test.parquet"

    return make


def _cut(make: Callable[[Path], Path], change: Callable[[bytes], bytes]) -> Callable[[Path], Path]:
    def changed(folder: Path) -> Path:
        path = make(folder)
        path.write_bytes(change(path.read_bytes()))
        return path

    return changed


def _repeated_value(folder: Path) -> Path:
    """A file of a few kilobytes with one image that is repeated until it fills memory."""
    image = pa.DictionaryArray.from_arrays(pa.array(np.zeros(LARGE // 2**20, np.int32)), pa.array([bytes(2**20)]))
    labels = pa.array(np.zeros(LARGE // 2**20, np.int64))
    pq.write_table(pa.table({"image": image, "label": labels}), folder / "test.parquet", compression="zstd")
    return folder / "test.parquet"


def _many_equal_rows(folder: Path) -> Path:
    count = 20_000_000
    image = pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int8)), pa.array([png()]))
    pq.write_table(pa.table({"image": image, "label": np.zeros(count, np.int8)}), folder / "test.parquet")
    return folder / "test.parquet"


def _encrypted(content: bytes) -> bytes:
    return b"PARE" + content[4:-4] + b"PARE"


_LABELS = [1, 0, 1, 2]
_BYTES = [png(row) for row in range(COUNT)]
PARQUET = {
    "plain": Strange(_parquet(_LABELS), READ),
    "bytes alone": Strange(_parquet(_LABELS, _BYTES), READ),
    "dictionary-encoded labels": Strange(_parquet(pa.array(["b", "a", "b", "c"]).dictionary_encode()), READ),
    "dictionary-encoded numbers": Strange(_parquet(pa.array(_LABELS).dictionary_encode()), READ),
    "null labels": Strange(_parquet([1, None, 1, 2]), "label None"),
    "null images": Strange(_parquet(_LABELS, [png(), None, png(), png()]), "row 1 holds no image"),
    "an image without bytes": Strange(_parquet(_LABELS, [{"bytes": None, "path": None}] * 4), "row 0 holds no"),
    "an image elsewhere": Strange(_parquet(_LABELS, [{"bytes": None, "path": "/dev/zero"}] * 4), "row 0|/dev/zero"),
    "large unsigned labels": Strange(_parquet(pa.array([0, 1, 2, 2**64 - 1], pa.uint64())), "label"),
    "unsigned labels": Strange(_parquet(pa.array(_LABELS, pa.uint64())), READ),
    "labels as texts": Strange(_parquet(["1.0", "0", "1", "2"]), READ),
    "fractions of labels": Strange(_parquet([3.5, 1.0, 0.0, 2.0]), "label 3.5"),
    "whole floats": Strange(_parquet([1.0, 0.0, 1.0, 2.0]), READ),
    "boolean labels": Strange(_parquet([True, False, True, False]), "label True"),
    "lists of labels": Strange(_parquet([[1], [0], [1], [2]]), r"label \[1\]"),
    "nested labels": Strange(_parquet([{"a": {"b": 1}}] * 4), "label {"),
    "dates as labels": Strange(_parquet(pa.array([0, 1, 2, 3], pa.timestamp("s"))), "label datetime"),
    "texts as images": Strange(_parquet(_LABELS, ["a", "b", "c", "d"]), "row 0|cannot be read"),
    "numbers as images": Strange(_parquet(_LABELS, _LABELS), "cannot be read|row 0"),
    "lists as images": Strange(_parquet(_LABELS, [[1, 2]] * 4), "more than 8 bits"),
    "no rows": Strange(
        _table(("image", pa.array([], pa.binary())), ("label", pa.array([], pa.int64()))), "no images|not have any"
    ),
    "no columns": Strange(_table(), "not have any rows"),
    "equal columns": Strange(_table(("image", _BYTES), ("label", _LABELS), ("label", [0] * 4)), "named|cannot be read"),
    "no labels": Strange(_table(("image", _BYTES)), "needs a column label"),
    "one value that fills memory": Strange(_repeated_value, "MiB|cannot be read|rows"),
    "many equal rows": Strange(_many_equal_rows, "rows"),
    "encrypted": Strange(_cut(_parquet(_LABELS), _encrypted), "encrypted"),
    "truncated": Strange(_cut(_parquet(_LABELS), lambda content: content[:-9]), "cannot be read"),
    "noise inside": Strange(
        _cut(_parquet(_LABELS), lambda content: content[:200] + bytes(60) + content[260:]), "cannot be|not an image"
    ),
    "not Parquet": Strange(written(b"something else", "test.parquet"), "cannot be read"),
    "empty": Strange(written(b"", "test.parquet"), "is empty"),
    "named pipe": Strange(pipe("test.parquet"), "is a named pipe"),
    "endless": Strange(endless("test.parquet"), "is a device"),
    "Arrow noise": Strange(written(b"ARROW1\0\0" + bytes(500), "test.arrow"), "cannot be read"),
}


def _member(name: str, content: bytes = b"", **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def _tar(
    members: Iterable[tuple[tarfile.TarInfo, bytes]], change: Callable[[bytes], bytes] = bytes
) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as archive:
            for info, content in members:
                archive.addfile(info, io.BytesIO(content))
        (folder / "set.tar").write_bytes(change(file.getvalue()))
        return folder / "set.tar"

    return make


def _many_links(folder: Path) -> Path:
    header = tarfile.TarInfo("a/link")
    header.type, header.linkname = tarfile.SYMTYPE, "b"
    with (folder / "set.tar").open("wb") as file:
        file.write(header.tobuf() * 10**5 + bytes(1024))
    return folder / "set.tar"


def _many_files(folder: Path) -> Path:
    """Many members of no bytes, in a class folder."""
    block = tarfile.TarInfo("a/image.png").tobuf()
    with (folder / "set.tar").open("wb") as file:
        file.writelines([block * 10**5] * 2)
        file.write(bytes(1024))
    return folder / "set.tar"


def _sparse(folder: Path) -> Path:
    header = bytearray(tarfile.TarInfo("a/0.png").tobuf(tarfile.GNU_FORMAT))
    header[156:157] = b"S"
    header[386:398], header[398:410] = b"00000000000\0", b"00000000000\0"
    header[483:495] = b"77777777777\0"
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    (folder / "set.tar").write_bytes(bytes(header) + bytes(1024))
    return folder / "set.tar"


def _samples(names: str) -> list[tuple[tarfile.TarInfo, bytes]]:
    return [
        _member(f"{name}.{suffix}", content) for name in names for suffix, content in (("png", png()), ("cls", b"1"))
    ]


_CLASSES = [_member(f"{label}/{row}.png", png(row)) for row, label in enumerate("baab")]
TAR = {
    "plain": Strange(_tar(_CLASSES), r"read \[0, 1, 0, 1\]"),
    "a folder above": Strange(_tar([*_CLASSES, _member("../../c/9.png", png())]), "names|outside|leads"),
    "an absolute path": Strange(_tar([*_CLASSES, _member("/etc/c/9.png", png())]), "leads out"),
    "a link": Strange(
        _tar([*_CLASSES, _member("c/9.png", type=tarfile.SYMTYPE, linkname="/etc/passwd")]), r"read \[0, 1, 0, 1\]"
    ),
    "a hard link": Strange(
        _tar([*_CLASSES, _member("c/9.png", type=tarfile.LNKTYPE, linkname="b/0.png")]), r"read \[0, 1, 0, 1\]"
    ),
    "a device": Strange(_tar([*_CLASSES, _member("c/9.png", type=tarfile.CHRTYPE)]), r"read \[0, 1, 0, 1\]"),
    "only links": Strange(_many_links, "cannot be read|without labels|no image|needs"),
    "many files": Strange(_many_files, "twice|files"),
    "sparse": Strange(_sparse, "sparse"),
    "a name twice": Strange(_tar([*_CLASSES, _member("a/1.png", png(9))]), "twice"),
    "a sample twice": Strange(
        _tar(_samples("aba")),
        "twice",
    ),
    "webdataset": Strange(
        _tar(_samples("ab")),
        r"read \[1, 1\]",
    ),
    "a label that is no number": Strange(
        _tar([_member("a.png", png()), _member("a.cls", b"\xff\xfe")]), "cannot be read"
    ),
    "a label of JSON": Strange(_tar([_member("a.png", png()), _member("a.json", b"[" * 10**5)]), "cannot be read"),
    "a pickle beside an image": Strange(
        _tar([_member("a.png", png()), _member("a.cls", b"1"), _member("a.pyd", b"cos\nabort\n(tR.")]),
        r"read \[1\]|cannot",
    ),
    "arrays beside an image": Strange(
        _tar([_member("a.png", png()), _member("a.cls", b"1"), _member("a.npz", npz(("x", b"")))]), r"read \[1\]|cannot"
    ),
    "cut short": Strange(_tar(_CLASSES, lambda content: content[:1500]), "cut short|cannot be read"),
    "a name of any bytes": Strange(_tar([*_CLASSES, _member("a/\udcff\x1b[2J.png", png())]), r"read \[0, 1, 0, 1, 0\]"),
    "folders in folders": Strange(_tar([_member("a/" * 5000 + "1.png", png()), *_CLASSES]), "read|class"),
    "not a tar": Strange(written(b"something else", "set.tar"), "cannot be read"),
    "empty": Strange(written(b"", "set.tar"), "empty|cannot be read"),
    "named pipe": Strange(pipe("set.tar"), "is a named pipe"),
    "endless": Strange(endless("set.tar"), "is a device"),
}
