"""A folder of images that a job writes: files whole or not at all, and all of them made in one way."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robustbench_eff.core.disk import atomic_write
from robustbench_eff.core.errors import UsageError

NOTE = "made-from.json"

ProgressCallback = Callable[[str, int, int], None]
"""Told what is written, how many of its images are there, and of how many."""


@dataclass(frozen=True, slots=True)
class WriteCount:
    """What a call has done."""

    images: int
    found: int
    """Images that were there already."""


def write_or_check_provenance(out: Path, made_from: dict[str, Any]) -> None:
    """Note what the folder's images are made from, and how; UsageError if it was something else."""
    note = out / NOTE
    there = json.loads(note.read_text()) if note.exists() else {}
    if differ := [key for key in made_from if there.get(key, made_from[key]) != made_from[key]]:
        raise UsageError(f"{out} was written from something else ({', '.join(differ)}).", "Choose another --out.")
    out.mkdir(parents=True, exist_ok=True)
    atomic_write(note, json.dumps(there | made_from, indent=1).encode())


def ignore_progress(text: str, done: int, total: int) -> None:
    """A tick that tells nobody."""
    del text, done, total
