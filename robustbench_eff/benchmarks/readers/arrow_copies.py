"""The Arrow copies that `datasets` makes of Parquet and webdataset files in the cache; each is checked when opened."""

from __future__ import annotations

import json
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from robustbench_eff.core.disk import OTHER_CACHE, atomic_write, store_errors
from robustbench_eff.core.errors import reason

from ..data_fingerprint import warn_of_damage

_RECORD = "checksums.json"
_CHUNK_BYTES = 2**24
_DAMAGED = {"": 0}
"""Stands for a record that cannot be read."""


def load_checked(folder: Path, load: Callable[[], Any]) -> Any:
    """Return a dataset of `datasets`; a copy that does not fit the checksums of its files is made again.

    Args:
        folder: Folder of the cache that `load` writes to, and nothing else.
        load: Make the copy where there is none, and open it.

    Raises:
        StoreError: The cache cannot be written.
    """
    with store_errors(folder, OTHER_CACHE):
        known = _known(folder / _RECORD)
        try:
            dataset = load()
            found = _checksums(folder, dataset)
            fits = all(known.get(name, checksum) == checksum for name, checksum in found.items())
            cause = "" if fits and known != _DAMAGED else "it does not fit its checksums"
        except Exception as error:
            if not known:
                raise  # nothing was stored: the source is at fault
            cause = reason(error)
        if cause:
            warn_of_damage(folder, cause)
            shutil.rmtree(folder)
            dataset, known = load(), {}
            found = _checksums(folder, dataset)
        if found.items() - known.items():
            atomic_write(folder / _RECORD, json.dumps({**known, **found}).encode())
    return dataset


def _known(record: Path) -> dict[str, int]:
    """The checksums that were stored; empty for a record that is missing."""
    if not record.exists():
        return {}
    try:
        stored = json.loads(record.read_bytes())
    except ValueError:
        stored = None
    return stored if isinstance(stored, dict) else _DAMAGED


def _checksums(folder: Path, dataset: Any) -> dict[str, int]:
    """The CRC-32 of every file of a dataset, by its path below a folder."""
    found = {}
    for each in dataset.cache_files:
        checksum = 0
        with Path(each["filename"]).open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                checksum = zlib.crc32(chunk, checksum)
        found[Path(each["filename"]).relative_to(folder).as_posix()] = checksum
    return found
