"""Repairing a store: what is wrong is set aside, never deleted, and the next run computes it again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from robustbench_eff.core.errors import UsageError

from . import cell_records, lease, store_format
from .answers import SEPARATOR, key_of
from .cell_outcomes import set_aside
from .check import Finding, check_files
from .record import sealed
from .remote_files import Files


def check_store(place: Path | str, *, repair: bool = False) -> list[Finding]:
    """Return what every file of a store is, and what is wrong with it, in the order of their names.

    Args:
        place: Folder, or URL that fsspec supports.
        repair: Move what is wrong into the store's folder `set-aside`, together with the outcomes of a cell whose
            record is wrong, so that the next run computes it again. Nothing is deleted.

    Raises:
        UsageError: There is no store at this place.
        StoreError: The store has a format that this version does not read, cannot be read, or another process writes.
    """
    files = Files.at(place)
    if not (files.exists(store_format.NAME) or files.exists("cells")):
        raise UsageError(f"{place} is not a store of outcomes.", "Pass the store that a run printed at its end.")
    if not repair:
        return check_files(files)
    check_files(files)  # refuses an unknown format before anything is written
    files.check_writable()
    with lease.held(files) as locked:
        findings = check_files(locked)
        return [_repaired(locked, finding, findings) for finding in findings]


def _repaired(files: Files, finding: Finding, findings: Sequence[Finding]) -> Finding:
    if not finding.problem:
        return finding
    moved_to = "" if finding.problem.endswith("is missing") else set_aside(files, finding.name)
    if finding.kind == "format":
        has_older = any(other.note.startswith("of an older format") for other in findings)
        store_format.write(files, store_format.READABLE[0] if has_older else store_format.FORMAT)
    if finding.kind == "answers":
        _keep_numbers(files, finding.name)
    return replace(finding, moved_to=moved_to)


def _keep_numbers(files: Files, name: str) -> None:
    """Reserve the numbers of models with one digest whose answers are lost, so that no other model gets their cells."""
    known = store_format.read(files)
    cells = cell_records.read_records(files, known.oldest if known else store_format.FORMAT).cells.values()
    for cell in cells:
        digest, separator, _ = cell.model_digest.partition(SEPARATOR)
        if separator and key_of(digest, cell.preprocessing) == PurePosixPath(name).stem:
            numbers = [other.model_digest.partition(SEPARATOR)[2] for other in cells]
            lost = 1 + max(int(number) for number in numbers if number.isdecimal())
            model = {"digest": digest, "preprocessing": cell.preprocessing}
            files.write(name, sealed(model | {"lost": lost, "answers": []}, indent=None))
            return
