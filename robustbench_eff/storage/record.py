"""Records: the JSON files of a store. Each holds a checksum of its values, so that no other value is read for them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from robustbench_eff.core.errors import StoreError
from robustbench_eff.core.outside_files import parse_json

CHECKSUM = "checksum"
"""Field with the checksum of all other fields."""
REPAIR_HINT = "`robust-eval store check STORE --repair` sets it aside, and the next run replaces it."


def sealed(record: Mapping[str, Any], *, indent: int | None = 2) -> bytes:
    """Return the file of a record.

    Args:
        record: Its fields; values that are not JSON types become texts.
        indent: Spaces by which a field is indented; None for a file of one line.
    """
    plain = json.loads(json.dumps(record, default=str))
    return json.dumps({CHECKSUM: _checksum(plain)} | plain, indent=indent).encode()


def unsealed(content: bytes, path: str) -> tuple[dict[str, Any], bool]:
    """Return the fields of a record without its checksum, and whether it had one.

    Args:
        content: Content of the file.
        path: Path or URL of the file, for messages.

    Raises:
        StoreError: It is no JSON object, or its values do not have its checksum.
    """
    record = parse_json(content, path, StoreError, REPAIR_HINT)
    if not isinstance(record, dict):
        raise StoreError(f"{path} is not a JSON object.", REPAIR_HINT)
    checksum = record.pop(CHECKSUM, None)
    if checksum is None and not _is_text(record):
        raise StoreError(f"{path} holds text that is not Unicode.", REPAIR_HINT)
    if checksum is not None and checksum != _checksum(record):
        raise StoreError(f"{path} has been changed: its values do not have the checksum that it states.", REPAIR_HINT)
    return record, checksum is not None


def check_sealed(is_sealed: bool, path: str, oldest: int) -> None:
    """Check that a record without a checksum is in a store that may hold records of an older format.

    Args:
        is_sealed: Whether the record has a checksum.
        path: Path or URL of the file, for messages.
        oldest: Format of the oldest files that the store may hold.

    Raises:
        StoreError: It needs a checksum.
    """
    if not is_sealed and oldest >= FIRST_FORMAT_WITH_CHECKSUMS:
        raise StoreError(f"{path} has no checksum, which every record of this store has.", REPAIR_HINT)


FIRST_FORMAT_WITH_CHECKSUMS = 7
"""Format of the store from which on records have checksums and shards name their cells."""


def _checksum(record: Mapping[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(record, sort_keys=True).encode(), digest_size=16).hexdigest()


def _is_text(record: Mapping[str, Any]) -> bool:
    """Whether no text of a record has half of a surrogate pair, which cannot be printed."""
    try:
        json.dumps(record, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
