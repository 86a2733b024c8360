"""Odd arrays: NumPy's files, CIFAR's pickles and records, MNIST's and MATLAB's files."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from strange_files import (
    LARGE,
    Strange,
    endless,
    gzip_bomb,
    npy,
    npy_header,
    npz,
    pipe,
    written,
    zip_bomb,
)

IMAGES = np.arange(4 * 8 * 8 * 3, dtype=np.uint32).reshape(4, 8, 8, 3).astype(np.uint8)
LABELS = np.array([1, 0, 1, 2])
READ = r"read \[1, 0, 1, 2\]"


def _npz(x: Any = IMAGES, y: Any = LABELS) -> Callable[[Path], Path]:
    x, y = (value if isinstance(value, bytes) else npy(np.asarray(value)) for value in (x, y))
    return written(npz(("x.npy", x), ("y.npy", y)), "set.npz")


def _objects(values: list[Any]) -> bytes:
    file = io.BytesIO()
    array = np.empty(len(values), dtype=object)
    array[:] = values
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def _pair(x: bytes | None = None, y: bytes | None = None) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / "x.npy").write_bytes(npy(IMAGES) if x is None else x)
        (folder / "y.npy").write_bytes(npy(LABELS) if y is None else y)
        return folder

    return make


def _pair_with_pipe(folder: Path) -> Path:
    (folder / "x.npy").write_bytes(npy(IMAGES))
    os.mkfifo(folder / "y.npy")
    return folder


def _encrypted(folder: Path) -> Path:
    content = bytearray(npz(("x.npy", npy(IMAGES)), ("y.npy", npy(LABELS))))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = content.find(mark)
        while start >= 0:
            content[start + offset] |= 1
            start = content.find(mark, start + 1)
    return written(bytes(content), "set.npz")(folder)


def _header(shape: str, descr: str = "'|u1'") -> str:
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"


NUMPY = {
    "plain": Strange(_npz(), READ),
    "column order": Strange(_npz(np.asfortranarray(IMAGES), np.asfortranarray(LABELS)), READ),
    "big-endian floats": Strange(_npz((IMAGES / 255).astype(">f8"), LABELS.astype(">i4")), READ),
    "half floats": Strange(_npz(IMAGES.astype(np.float16)), READ),
    "boolean labels": Strange(_npz(y=LABELS > 0), "label True, which is not a class index"),
    "boolean images": Strange(_npz(IMAGES > 7), "must be uint8 or float, got bool"),
    "NaN pixels": Strange(_npz(np.full(IMAGES.shape, np.nan)), "NaN"),
    "infinite pixels": Strange(_npz(np.full(IMAGES.shape, np.inf)), "outside"),
    "16-bit images": Strange(_npz(IMAGES.astype(np.uint16)), "must be uint8 or float, got uint16"),
    "complex images": Strange(_npz(IMAGES.astype(complex)), "must be uint8 or float, got complex"),
    "no images": Strange(_npz(IMAGES[:0], LABELS[:0]), "holds no images"),
    "no pixels": Strange(_npz(IMAGES[:, :0], LABELS), "without pixels"),
    "no pixels of floats": Strange(_npz(IMAGES[:, :0].astype(float), LABELS), "without pixels"),
    "a number": Strange(_npz(7, LABELS), "must have shape"),
    "many dimensions": Strange(_npz(np.zeros((1,) * 32, np.uint8), LABELS), "must have shape"),
    "objects": Strange(_npz(y=_objects([1, 2, 3, 4])), "pickled Python objects"),
    "fields": Strange(_npz(np.zeros((4, 8, 8, 3), [("red", "u1")])), "must be uint8 or float"),
    "dates": Strange(_npz(y=np.array(["2026-01-01"] * 4, "M8[D]")), "not a class index"),
    "large labels": Strange(_npz(y=np.array([0, 1, 2, 2**64 - 1], np.uint64)), "label"),
    "negative labels": Strange(_npz(y=np.array([0, 1, 2, -3])), "label -3"),
    "whole labels as floats": Strange(_npz(y=LABELS.astype(float)), READ),
    "fractions of labels": Strange(_npz(y=LABELS + 0.5), "label 1.5, which is not a class index"),
    "NaN labels": Strange(_npz(y=np.full(4, np.nan)), "label nan, which is not a class index"),
    "whole labels as texts": Strange(_npz(y=np.array(["1.0", "0", "1", "2.0"])), READ),
    "fewer values than declared": Strange(_npz(npy_header(_header("(1000000000, 32, 32, 3)"), bytes(9))), "declares"),
    "a shape beyond all numbers": Strange(
        _npz(npy_header(_header("(9999999999999, 99999999999)"), bytes(9))), "declare"
    ),
    "a negative shape": Strange(_npz(npy_header(_header("(-4, 8, 8, 3)"), bytes(768))), "declares -768 bytes"),
    "a wide element": Strange(_npz(npy_header(_header("(1,)", "'|S4000000000'"))), "is not an array of NumPy"),
    "code in the header": Strange(_npz(npy_header("__import__('os').abort()")), "is not an array of NumPy"),
    "brackets in the header": Strange(_npz(npy_header("(" * 9000)), "is not an array of NumPy"),
    "a long header": Strange(_npz(npy_header(" " * 10**6, version=2)), "is not an array of NumPy"),
    "another version": Strange(_npz(npy_header(_header("(1,)"), version=9)), "declares|is not an array"),
    "zip bomb": Strange(
        written(
            zip_bomb("x.npy", npy_header(_header(f"({LARGE // 192}, 8, 8, 3)")), ("y.npy", npy(LABELS))), "set.npz"
        ),
        "unpacks to 3,072 MiB",
    ),
    "zip bomb of labels": Strange(
        written(zip_bomb("y.npy", npy_header(_header(f"({LARGE},)")), ("x.npy", npy(IMAGES))), "set.npz"),
        "unpacks to 3,072 MiB",
    ),
    "the same name twice": Strange(
        written(
            npz(("x.npy", npy(IMAGES)), ("y.npy", npy(LABELS)), ("z.npy", npy(LABELS * 0))).replace(b"z.npy", b"y.npy"),
            "set.npz",
        ),
        "twice",
    ),
    "encrypted": Strange(_encrypted, "encrypted"),
    "truncated": Strange(written(npz(("x.npy", npy(IMAGES)))[:-30], "set.npz"), "not an archive"),
    "one array as npz": Strange(written(npy(IMAGES), "set.npz"), "not an archive"),
    "a pickle as npz": Strange(written(pickle.dumps({}), "set.npz"), "not an archive"),
    "empty": Strange(written(b"", "set.npz"), "is empty"),
    "named pipe": Strange(pipe("set.npz"), "is a named pipe"),
    "endless": Strange(endless("set.npz"), "is a device"),
    "pair of files": Strange(_pair(), READ),
    "pair with objects": Strange(_pair(y=_objects([1, 2, 3, 4])), "pickled Python objects"),
    "pair cut short": Strange(_pair(npy(IMAGES)[:-1]), "declares 768 bytes, and holds 767"),
    "pair with a shape beyond the file": Strange(_pair(npy_header(_header("(10**9, 3)"))), "is not an array of NumPy"),
    "pair with a pipe": Strange(_pair_with_pipe, "is a named pipe"),
    "pair of 0 dimensions": Strange(_pair(npy(np.uint8(3))), "must have shape"),
}


def _batch(**entries: Any) -> dict[bytes, Any]:
    pixels = np.zeros((2, 3072), np.uint8)
    return {b"data": pixels, b"labels": [1, 0], **{key.encode(): value for key, value in entries.items()}}


def _pickle(content: Any, name: str = "test_batch", **others: bytes) -> Callable[[Path], Path]:
    packed = content if isinstance(content, bytes) else pickle.dumps(content, 2)

    def make(folder: Path) -> Path:
        (folder / name).write_bytes(packed)
        for other, meta in others.items():
            (folder / other.replace("_meta", ".meta")).write_bytes(meta)
        return folder

    return make


def _doubling(times: int = 60) -> list[Any]:
    value: list[Any] = [0]
    for _ in range(times):
        value = [value, value]
    return value


_DOUBLING_KEY = b"\x80\x02}K\0\x85" + b"".join(bytes([113, n, 104, n, 134]) for n in range(60)) + b"K\1s."
"""A pickle of a mapping whose key is a pair of a pair of a pair of one object, which takes years to hash."""


class _Runs:
    """An object that would run a command when it is read."""

    def __reduce__(self) -> Any:
        return os.system, ("false",)


def _tgz(name: str, *members: tuple[str, bytes]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        with tarfile.open(folder / name, "w:gz") as archive:
            for member, content in members:
                info = tarfile.TarInfo(member)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        return folder / name

    return make


def _tar_start(name: str, size: int, kind: bytes = b"0") -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


def _idx(images: bytes, labels: bytes, suffix: str = "") -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / f"t10k-images-idx3-ubyte{suffix}").write_bytes(images)
        (folder / f"t10k-labels-idx1-ubyte{suffix}").write_bytes(labels)
        return folder

    return make


def _idx_of(*shape: int) -> bytes:
    return b"\0\0\x08" + bytes([len(shape)]) + struct.pack(f">{len(shape)}I", *shape)


_META = pickle.dumps({"label_names": [f"class {number}" for number in range(10)]}, 2)
_PIXELS = pickle.dumps(_batch(), 2)
CONTAINERS = {
    "batch": Strange(_pickle(_PIXELS), r"read \[1, 0\]"),
    "batch with names": Strange(_pickle(_PIXELS, batches_meta=_META), r"read \[1, 0\]"),
    "batch that runs code": Strange(_pickle(_batch(labels=_Runs())), "asks for posix.system"),
    "batch with a key that doubles": Strange(_pickle(_DOUBLING_KEY), "uses a tuple twice"),
    "batch with labels that double": Strange(_pickle(_batch(labels=_doubling())), "labels|cannot be read"),
    "batch with names that double": Strange(
        _pickle(_PIXELS, batches_meta=pickle.dumps({"label_names": [_doubling()]}, 2)), "names"
    ),
    "batch with a far place in memory": Strange(_pickle(b"\x80\x02]r\xff\xff\xff\x7f."), "more memory than"),
    "batch with many rows": Strange(
        _pickle(_PIXELS.replace(b"K\x02M\x00\x0c\x86", b"J\xff\xff\xff\x7fM\x00\x0c\x86")), "CIFAR's data is uint8"
    ),
    "batch with a text of rows": Strange(
        _pickle(_PIXELS.replace(b"K\x02M\x00\x0c\x86", b"U\x02abM\x00\x0c\x86")), "CIFAR"
    ),
    "batch cut short": Strange(_pickle(_PIXELS[:-20]), "cannot be read|not a whole pickle"),
    "batch of a list": Strange(_pickle([1, 2]), "does not hold the data and labels"),
    "batch nested deep": Strange(
        _pickle(b"\x80\x02" + b"]" * 10**6 + b"a" * (10**6 - 1) + b"."), "steps|does not hold"
    ),
    "batch of digits": Strange(_pickle(b"\x80\x02L" + b"9" * 10**6 + b"L\n."), "cannot be read|not a pickle"),
    "records cut short": Strange(written(bytes(3073 * 2 + 5), "test_batch.bin"), "not a whole number"),
    "records": Strange(written(bytes(3073 * 2), "test_batch.bin"), r"read \[0, 0\]"),
    "records in a pipe": Strange(pipe("test_batch.bin"), "is a named pipe"),
    "archive bomb": Strange(
        written(gzip_bomb(start=_tar_start("cifar/test_batch", LARGE)), "cifar-10-python.tar.gz"), "MiB"
    ),
    "archive with a bomb of a header": Strange(
        written(gzip_bomb(start=_tar_start("header", LARGE, b"x")), "cifar-10-python.tar.gz"), "MiB|cannot be read"
    ),
    "archive with a bomb of another file": Strange(
        written(gzip_bomb(start=_tar_start("cifar/notes", LARGE)), "cifar-10-python.tar.gz"), "MiB"
    ),
    "archive with a batch twice": Strange(
        _tgz("cifar-10-python.tar.gz", ("a/test_batch", _PIXELS), ("b/test_batch", _PIXELS)), "twice"
    ),
    "archive of something else": Strange(written(b"something else", "cifar-10-python.tar.gz"), "cannot be read"),
    "archive cut short": Strange(
        written(gzip.compress(_tar_start("test_batch", 9))[:-9], "cifar-10-python.tar.gz"), "cannot"
    ),
    "IDX": Strange(_idx(_idx_of(2, 8, 8) + bytes(128), _idx_of(2) + bytes(2)), r"read \[0, 0\]"),
    "IDX bomb": Strange(
        _idx(gzip_bomb(start=_idx_of(2, 8, 8)), gzip.compress(_idx_of(2) + bytes(2)), ".gz"), "not a complete IDX"
    ),
    "IDX that declares a bomb": Strange(
        _idx(gzip_bomb(start=_idx_of(LARGE // 64, 8, 8)), gzip.compress(_idx_of(2) + bytes(2)), ".gz"),
        "MiB|not a complete",
    ),
    "IDX of no pixels": Strange(_idx(_idx_of(2**31, 0, 0), _idx_of(2) + bytes(2)), "without pixels"),
    "IDX of many dimensions": Strange(
        _idx(b"\0\0\x08\xff" + bytes(1020), _idx_of(2) + bytes(2)), "not a complete|shape"
    ),
    "MATLAB cut short": Strange(
        written(b"MATLAB 5.0 MAT-file" + bytes(200), "test_32x32.mat"), "is not a MATLAB file of version 5"
    ),
    "MATLAB noise": Strange(written(os.urandom(999), "test_32x32.mat"), "is not a MATLAB file of version 5"),
    "STL-10 without labels": Strange(written(bytes(27648), "test_X.bin"), "needs its labels"),
}
