"""The format of a store, and of the oldest files in it: `store.json`."""

from __future__ import annotations

from typing import Any, NamedTuple

from robustbench_eff.core.errors import StoreError

from .record import sealed, unsealed
from .remote_files import Files

NAME = "store.json"
FORMAT = 7
"""Format that this version writes."""
READABLE = (4, 5, 6, 7)
"""Formats that this version reads; a store of an older format gets the newer one when it is first written to."""


class UnknownFormat(StoreError):
    """A store of a format that this version does not read."""


class StoreFormat(NamedTuple):
    """The formats of the files of a store."""

    newest: int
    """Format of the newest files."""
    oldest: int
    """Format of the oldest files that there may be: that of the store when it was begun."""


def read(files: Files) -> StoreFormat | None:
    """Return the format of a store, or None if there is no store.

    Args:
        files: Files of the store.

    Raises:
        StoreError: `store.json` is damaged, or states a format that this version does not read.
    """
    try:
        content = files.read(NAME)
    except FileNotFoundError:
        return None
    record, is_sealed = unsealed(content, files.path(NAME))
    newest: Any = record.get("format")
    if type(newest) is int and not _is_format(newest):
        raise UnknownFormat(
            f"{files.place} has store format {newest!r}; this version reads formats {READABLE[0]} to {FORMAT}.",
            "Evaluate into a new --store.",
        )
    oldest: Any = record.get("oldest", newest)
    if not (_is_format(newest) and _is_format(oldest)) or is_sealed != (newest >= FORMAT) or oldest > newest:
        raise StoreError(
            f"{files.path(NAME)} is damaged: it states format {newest!r} and {oldest!r} as that of the oldest files"
            f"{'' if is_sealed else ', without a checksum'}.",
            "`robust-eval store check STORE --repair` writes it anew.",
        )
    return StoreFormat(newest, oldest)


def write(files: Files, oldest: int = FORMAT) -> StoreFormat:
    """Write the current format, in one step: no other file is changed when a store gets a newer format.

    Args:
        files: Files of the store, locked for writing.
        oldest: Format of the oldest files in the store.
    """
    files.write(NAME, sealed({"format": FORMAT, "oldest": oldest}, indent=None))
    return StoreFormat(FORMAT, oldest)


def _is_format(value: Any) -> bool:
    return type(value) is int and value in READABLE
