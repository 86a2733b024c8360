"""A folder of generated images: every file is written atomically, and all of them were generated in one way."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robustbench_eff.benchmarks.readers.image_files import RECORD
from robustbench_eff.core.disk import atomic_write, reporting_os_errors
from robustbench_eff.core.errors import UsageError


@dataclass(frozen=True, slots=True)
class WriteCount:
    """How many images a call has written."""

    images: int
    """Number of images that were written."""
    found: int
    """Number of images that existed already."""


def write_or_check_provenance(out: Path, made_from: dict[str, Any]) -> None:
    """Record what the images of a folder are made from, and how.

    Args:
        out: The folder, which is created if it does not exist.
        made_from: Everything that decides which images are written, as plain JSON types.

    Raises:
        UsageError: The folder was made from something else, or cannot be written.
    """
    record = out / RECORD
    with reporting_os_errors(out):
        recorded = json.loads(record.read_text()) if record.exists() else {}
    if differing := [key for key in made_from if recorded.get(key, made_from[key]) != made_from[key]]:
        raise UsageError(f"{out} was written from something else ({', '.join(differing)}).", "Choose another --out.")
    with reporting_os_errors(out):
        atomic_write(record, json.dumps(recorded | made_from, indent=1).encode())
