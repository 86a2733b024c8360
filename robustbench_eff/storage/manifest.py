"""The record of a run: its name, its file, and dataclasses as JSON."""

from __future__ import annotations

import dataclasses
import json
import secrets
import time
import warnings
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from robustbench_eff.core.errors import RobustEvalWarning, StoreError

from .record import REPAIR_HINT, check_sealed, sealed, unsealed
from .remote_files import Files

_RUN = "run"
"""Field of the file with the name of the run, by which copies of the file are known."""

_FACTS = {"command": list, "versions": dict, "cells": list}
"""Fields that every run has recorded, by their types."""

STARTED = "started"
"""Status of a run until it ends. A run that was killed keeps it."""


def new_run_id() -> str:
    """Return a new name for a run; names sort by time, those of one second by its microseconds."""
    seconds, microseconds = divmod(time.time_ns() // 1000, 1_000_000)
    return f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(seconds))}{microseconds:06d}Z-{secrets.token_hex(3)}"


def jsonable(record: Any) -> dict[str, Any]:
    """Return a dataclass as plain JSON types.

    Args:
        record: An instance of a dataclass; values that are not JSON types become texts.
    """
    plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(record), default=str))
    return plain


def write_manifest(files: Files, run_id: str, manifest: Mapping[str, Any]) -> None:
    """Write the record of a run.

    Args:
        files: Files of the store.
        run_id: Name from `new_run_id`.
        manifest: Command, versions, device, time and cells of the run.
    """
    files.write(f"runs/{run_id}.json", sealed({_RUN: run_id} | dict(manifest)))


def read_manifests(files: Files, oldest: int) -> list[dict[str, Any]]:
    """Return the records of all runs, the earliest first. Copies are left out with a warning.

    Args:
        files: Files of the store.
        oldest: Format of the oldest files that the store may hold.

    Raises:
        StoreError: A record is damaged, or is a copy of one that does not exist.
    """
    names = files.matching("runs/*.json")
    found: dict[bytes, dict[str, Any]] = {}
    for name, content in zip(names, files.read_existing(names), strict=True):
        of, record = read_manifest(files, name, content, oldest)
        if of != PurePosixPath(name).stem and f"runs/{of}.json" not in names:
            raise StoreError(f"{files.path(name)} is the record of run {of} under another name.", REPAIR_HINT)
        if of != PurePosixPath(name).stem or content in found:
            warnings.warn(f"{files.path(name)} is a copy of another record: left out.", RobustEvalWarning, stacklevel=3)
        else:
            found[content] = record
    return list(found.values())


def read_manifest(files: Files, name: str, content: bytes, oldest: int) -> tuple[str, dict[str, Any]]:
    """Return the name of a run and its record.

    Args:
        files: Files of the store.
        name: Name of the file.
        content: Its content.
        oldest: Format of the oldest files that the store may hold.

    Raises:
        StoreError: The record is damaged.
    """
    path = files.path(name)
    record, is_sealed = unsealed(content, path)
    check_sealed(is_sealed, path, oldest)
    run_id = record.pop(_RUN, PurePosixPath(name).stem)
    cells, failed = record.get("cells", []), record.get("failed", {})
    are_ids = isinstance(cells, list) and all(isinstance(cell, str) for cell in cells)
    are_reasons = isinstance(failed, dict) and all(isinstance(why, str) for why in failed.values())
    has_facts = is_sealed or all(isinstance(record.get(field), kind) for field, kind in _FACTS.items())
    if not (are_ids and are_reasons and has_facts and isinstance(run_id, str)):
        raise StoreError(f"{path} is not the record of a run: its command, versions or cells are missing.", REPAIR_HINT)
    return run_id, record
