"""Pictures in a store: PNG files, whose chunks have checksums of their own, and which name their cell.

Source: W3C, Portable Network Graphics, section 5: length, type, data and CRC-32 of type and data; section 11.3.3: tEXt.
"""

from __future__ import annotations

import json
import warnings
import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from robustbench_eff.core.errors import RobustEvalWarning

from .remote_files import Files

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TEXT, _END = b"tEXt", b"IEND"
_CELL = b"Cell\0"
"""Keyword of the text that holds the id of the cell, and the separator behind it."""
_SAMPLES = "Samples"
"""Keyword of the text that says which samples the picture shows, from left to right."""


class Pictured(NamedTuple):
    """A sample of a picture."""

    position: int
    """Position of the sample in its benchmark."""
    label: int
    """True class."""
    prediction: int
    """Class predicted on the perturbed image; -1 for none."""


def samples_text(samples: Sequence[Pictured]) -> tuple[str, str]:
    """Return the keyword and the content of the text that names the samples of a picture.

    Args:
        samples: The samples from left to right.
    """
    return _SAMPLES, json.dumps(samples)


def samples(content: bytes) -> list[Pictured]:
    """Return the samples of a picture from left to right; an empty list for a picture that does not name them.

    Args:
        content: Content of the file.
    """
    keyword = _SAMPLES.encode() + b"\0"
    texts = [data for kind, data in _chunks(content) if kind == _TEXT and data.startswith(keyword)]
    try:
        rows = json.loads(texts[0].removeprefix(keyword)) if texts else []
        found = [Pictured(*row) for row in rows]
    except (TypeError, ValueError):  # a text of another program
        return []
    return found if all(type(part) is int for sample in found for part in sample) else []


def read(files: Files, name: str, cell_id: str) -> bytes | None:
    """Return the picture of a cell, or None. A damaged one, or another cell's, is left out with a warning.

    Args:
        files: Files of the store.
        name: Name of the picture within the store.
        cell_id: Id of the cell.
    """
    try:
        content = files.read(name)
    except FileNotFoundError:
        return None
    if not (what := problem(content, cell_id)):
        return content
    warnings.warn(f"{files.path(name)} {what}: left out.", RobustEvalWarning, stacklevel=3)
    return None


def named(png: bytes, cell_id: str) -> bytes:
    """Return a picture that names its cell.

    Args:
        png: Intact PNG file.
        cell_id: Id of the cell.
    """
    end = len(png) - len(_chunk(_END, b""))
    return png[:end] + _chunk(_TEXT, _CELL + cell_id.encode("ascii")) + png[end:]


def problem(content: bytes, cell_id: str) -> str:
    """Return what is wrong with the picture of a cell, as a predicate; empty if nothing is.

    A picture that names no cell was written by an earlier version: it is taken as it is.

    Args:
        content: Content of the file.
        cell_id: Id of the cell.
    """
    chunks = dict[bytes, list[bytes]]()
    for kind, data in _chunks(content):
        chunks.setdefault(kind, []).append(data)
    if _END not in chunks:
        return "is no intact PNG file"
    texts = chunks.get(_TEXT, [])
    named_cells = [text.removeprefix(_CELL) for text in texts if text.startswith(_CELL)]
    return "" if set(named_cells) <= {cell_id.encode()} else "is the picture of another cell"


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The type and data of every chunk as long as they are intact; the last one, only if nothing follows."""
    if not content.startswith(SIGNATURE):
        return
    position = len(SIGNATURE)
    while position + 12 <= len(content):
        length = int.from_bytes(content[position : position + 4], "big")
        kind, end = content[position + 4 : position + 8], position + 8 + length
        if zlib.crc32(content[position + 4 : end]) != int.from_bytes(content[end : end + 4], "big"):
            return
        position = end + 4
        if kind == _END and position != len(content):
            return
        yield kind, content[end - length : end]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
