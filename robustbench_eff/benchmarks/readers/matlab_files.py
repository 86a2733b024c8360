"""Variables of MATLAB files of version 5: arrays of numbers, texts, and structures of them.

SciPy's reader ends the process on damaged files, and unpacks a small one to any size; hence one of our own for the few
kinds of variables that data sets have. Source: MathWorks, MAT-File Format, level 5.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from robustbench_eff.core.errors import DataError, reason
from robustbench_eff.core.outside_archives import largest_unpacked
from robustbench_eff.core.outside_files import read_bytes

MAX_BYTES = 2 * 2**30
"""Largest file; SVHN's `extra` has 1.3 GB."""
MAX_DEPTH = 4
"""Structures within one another; those of ImageNet's development kit have arrays and texts in them."""
_HEADER = 128
"""Bytes of the header of a file, whose last two tell the order of bytes."""
_BYTE_ORDERS = {b"IM": "<", b"MI": ">"}
_MATRIX, _COMPRESSED = 14, 15
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
"""Types of elements that hold numbers, as numpy's."""
_TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
"""Types of elements that hold the characters of a text, by their encodings."""
_STRUCTURE, _TEXT = 2, 4
_CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
"""Classes of arrays of numbers, which may be stored in a smaller type."""
_AGAIN = "Download it again."


class _Element(NamedTuple):
    kind: int
    data: memoryview


class _Damaged(ValueError):
    """The file is damaged; the message continues a sentence that begins with the file's name."""


def read_matlab(path: Path) -> dict[str, Any]:
    """Return the variables of a MATLAB file by their names.

    Args:
        path: The file.

    Returns:
        Arrays of numbers with at least two axes, texts as str, structures as lists of dicts; variables of other kinds
        are left out.

    Raises:
        DataError: It cannot be read, or unpacks to more than it should.
    """
    return parse_matlab(read_bytes(path, limit=MAX_BYTES), str(path))


def parse_matlab(content: bytes, name: str) -> dict[str, Any]:
    """Return the variables of a MATLAB file by their names, as `read_matlab` does.

    Args:
        content: Content of the file.
        name: Its path, for messages.

    Raises:
        DataError: It cannot be read, or unpacks to more than it should.
    """
    order = _BYTE_ORDERS.get(content[_HEADER - 2 : _HEADER])
    if order is None:
        raise DataError(f"{name} is not a MATLAB file of version 5.", f"{_AGAIN} In MATLAB, `save -v7` writes one.")
    found: dict[str, Any] = {}
    left = largest_unpacked(len(content))
    try:
        for element in _elements(memoryview(content)[_HEADER:], order):
            data = element.data
            if element.kind == _COMPRESSED:
                data = _unpacked(data, left)
                left -= len(data)
                element = next(_elements(data, order), element)
            if element.kind == _MATRIX:
                variable, value = _variable(element.data, order, MAX_DEPTH)
                found |= {} if value is None else {variable: value}
    except (_Damaged, zlib.error, UnicodeError, ValueError) as error:
        why = str(error) if isinstance(error, _Damaged) else f"cannot be read: {reason(error)}"
        raise DataError(f"{name} {why}.", _AGAIN) from error
    return found


def _unpacked(data: memoryview, limit: int) -> memoryview:
    unpacker = zlib.decompressobj()
    unpacked = unpacker.decompress(data, limit + 1)
    if len(unpacked) > limit:
        raise _Damaged(f"unpacks to more than {limit:,} bytes")
    if not unpacker.eof:
        raise _Damaged("ends in the middle of a variable")
    return memoryview(unpacked)


def _elements(data: memoryview, order: str) -> Iterator[_Element]:
    """The elements that follow each other: a type, a size, the data, and zeros up to a multiple of 8 bytes."""
    position = 0
    while position + 8 <= len(data):
        kind, size = (int(number) for number in np.frombuffer(data[position : position + 8], f"{order}u4"))
        start = position + 8
        if kind >> 16:  # both in one number, and the data in the second
            kind, size, start = kind & 0xFFFF, kind >> 16, position + 4
            if size > 4:
                raise _Damaged(f"has an element of {size} bytes where at most 4 fit")
        end = start + size
        if end > len(data):
            raise _Damaged("ends in the middle of a variable")
        yield _Element(kind, data[start:end])
        position = end if kind == _COMPRESSED else position + 8 * math.ceil((end - position) / 8)


def _variable(data: memoryview, order: str, depth: int) -> tuple[str, Any]:
    """The name of a variable, and its value; None if it is of another kind."""
    if not depth:
        raise _Damaged(f"has more than {MAX_DEPTH} structures within one another")
    parts = _elements(data, order)
    flags, sizes, name = (_numbers(_next(parts), order) for _ in range(3))
    if not len(flags) or not len(sizes) or min(sizes) < 0:
        raise _Damaged("has a variable without a class or a size")
    shape, kind = [int(size) for size in sizes], int(flags[0]) & 0xFF
    value: Any = None
    if kind in _CLASSES:
        numbers = _numbers(_next(parts), order)
        if len(numbers) != math.prod(shape):
            raise _Damaged(f"has a variable of {shape} with {len(numbers):,} numbers")
        value = numbers.astype(f"{order}{_CLASSES[kind]}", copy=False).reshape(shape, order="F")
    elif kind == _TEXT:
        value = _text(next(parts, _Element(2, memoryview(b""))), order)
    elif kind == _STRUCTURE:
        value = _structure(parts, math.prod(shape), order, depth)
    return bytes(name.astype("u1")).decode("latin-1"), value


def _structure(parts: Iterator[_Element], length: int, order: str, depth: int) -> list[dict[str, Any]]:
    widths, names = _numbers(_next(parts), order), bytes(_next(parts).data)
    width = int(widths[0]) if len(widths) == 1 else 0
    if not 0 < width <= len(names):
        raise _Damaged("has a structure without names of its fields")
    fields = [names[at : at + width].split(b"\0")[0].decode("latin-1") for at in range(0, len(names), width)]
    rows = list[dict[str, Any]]()
    for _ in range(length):  # ends where the elements end
        values = [_next(parts) for _ in fields]
        rows.append({field: _field(value, order, depth) for field, value in zip(fields, values, strict=True)})
    return rows


def _field(element: _Element, order: str, depth: int) -> Any:
    if element.kind != _MATRIX:
        raise _Damaged("has a structure with something else than variables in it")
    return _variable(element.data, order, depth - 1)[1] if element.data else np.empty((0, 0))


def _next(parts: Iterator[_Element]) -> _Element:
    element = next(parts, None)
    if element is None:
        raise _Damaged("ends in the middle of a variable")
    return element


def _numbers(element: _Element, order: str) -> Any:
    if element.kind not in _NUMBERS:
        raise _Damaged(f"has an element of type {element.kind} instead of numbers")
    return np.frombuffer(element.data, f"{order}{_NUMBERS[element.kind]}")


def _text(element: _Element, order: str) -> str:
    if element.kind not in _TEXTS:
        raise _Damaged(f"has an element of type {element.kind} instead of a text")
    encoding = _TEXTS[element.kind]
    if encoding in ("utf-16", "utf-32"):
        encoding += "-le" if order == "<" else "-be"
    return bytes(element.data).decode(encoding)
