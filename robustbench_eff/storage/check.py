"""Checking a store: what every file of it is, and what is wrong with it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

import pyarrow as pa

from robustbench_eff.core.errors import StoreError

from . import answers, cell_records, lease, picture, shard, store_format
from .manifest import read_manifest
from .outcomes import IDENTIFYING, SCHEMA, concatenate
from .record import unsealed
from .remote_files import Files
from .shard import Expected
from .store_format import StoreFormat
from .stored_cell import StoredCell

FOREIGN = "foreign"
SET_ASIDE = "set aside"
DROPPED = "dropped"
"""Kind of the files of dropped cells, and the folder that they are in."""
UNFINISHED = "unfinished"
OWN_FOLDERS = ("cells", "runs", "models")
_MISSING = "finished by a run and now missing; the same command computes it again"
_WITHOUT_CHECKSUM = "of an older format, without a checksum"
_WITHOUT_CELL = (
    "of an older format, which does not name its cell: if it were exchanged for another's, nobody would know"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A file of a store, and what is wrong with it."""

    name: str
    """Name within the store; of a folder that should be a file, too."""
    kind: str
    """What it is, such as `outcomes`."""
    problem: str = ""
    """What is wrong, as a sentence without its end; empty if nothing is."""
    note: str = ""
    """What a reader should know of a file with which nothing is wrong."""
    moved_to: str = ""
    """Where `repair.check_store` has put it."""


@dataclass(frozen=True, slots=True)
class _Store:
    """What is known of a store before its files are looked at one by one, and what is collected meanwhile."""

    files: Files
    oldest: int
    names: Sequence[str]
    cells: Mapping[str, StoredCell]
    """Cells whose records are sound."""
    copies: Mapping[str, str]
    """Folders that are copies of another cell's, and its id."""
    first_runs: dict[bytes, str] = field(default_factory=dict)
    """Records of runs that do not hold the name of their run, as those of older formats, and the first file of each."""
    finished: set[str] = field(default_factory=set)
    """Cells that a run has finished, as its record says."""


def check_files(files: Files) -> list[Finding]:
    """Return what every file of a store is, and what is wrong with it, in the order of their names.

    Args:
        files: Files of the store.

    Raises:
        StoreError: The store has a format that this version does not read, or its folder cannot be read.
    """
    names = files.all()
    known, problem = _format(files)
    found = [Finding(name=store_format.NAME, kind="format", problem=problem)] if problem else []
    oldest = known.oldest if known else store_format.READABLE[0]
    store = _Store(files, oldest, names, *_cells(files, names, oldest))
    by_folder: dict[str, list[str]] = defaultdict(list)
    for name in names:
        if name != store_format.NAME or not problem:
            by_folder[str(PurePosixPath(name).parent)].append(name)
    for of_folder in by_folder.values():
        found += _without_contradictions(store, [_finding(store, name) for name in of_folder])
    return sorted([*found, *_missing_cells(store)], key=lambda finding: finding.name)


def _missing_cells(store: _Store) -> list[Finding]:
    """What is known of cells only because a run has finished them."""
    folders = {name.split("/")[1] for name in store.names if name.startswith("cells/")}
    return [Finding(name=f"cells/{cell}", kind="cell", note=_MISSING) for cell in store.finished - folders]


def _format(files: Files) -> tuple[StoreFormat | None, str]:
    """The format of a store, and what is wrong with the file that states it."""
    try:
        known = store_format.read(files)
    except store_format.UnknownFormat:
        raise
    except StoreError as error:
        return None, error.message.removesuffix(".")
    return known, "" if known else f"{files.path(store_format.NAME)} is missing"


def _cells(files: Files, names: Sequence[str], oldest: int) -> tuple[dict[str, StoredCell], dict[str, str]]:
    """The cells with sound records by id, and the folders that are copies of one."""
    found: dict[str, StoredCell] = {}
    for folder in (PurePosixPath(name).parent.name for name in names if PurePosixPath(name).match("cells/*/cell.json")):
        name = f"cells/{folder}/{cell_records.NAME}"
        try:
            found[folder] = cell_records.read_record(files.path(name), folder, files.read(name), oldest)
        except (StoreError, FileNotFoundError):
            continue  # said where the file itself is looked at
    return (
        {folder: cell for folder, cell in found.items() if cell.id == folder},
        {folder: cell.id for folder, cell in found.items() if cell.id != folder and cell.id in found},
    )


def _finding(store: _Store, name: str) -> Finding:
    path = PurePosixPath(name)
    for pattern, (kind, look) in _KINDS.items():
        if len(path.parts) == pattern.count("/") + 1 and path.match(pattern):
            return _looked_at(store, name, kind, look)
    if path.parts[0] == "set-aside" or ".corrupt-" in path.name:
        return Finding(name=name, kind=SET_ASIDE, note="set aside earlier: never read")
    if path.parts[0] == DROPPED:
        return Finding(name=name, kind=DROPPED, note="of a dropped model: never read")
    if path.suffix == ".part":
        return Finding(name=name, kind=UNFINISHED, note="unfinished, of a run that goes on or was killed: never read")
    if path.parts[0] in OWN_FOLDERS:
        return Finding(name=name, kind=FOREIGN, problem=f"{store.files.path(name)} is no file of a store")
    return Finding(name=name, kind=FOREIGN, note="no file of a store: never read")


def _looked_at(store: _Store, name: str, kind: str, look: Callable[[_Store, str, bytes], Finding]) -> Finding:
    path = store.files.path(name)
    try:
        return replace(look(store, name, store.files.read(name)), name=name, kind=kind)
    except FileNotFoundError:
        return Finding(name=name, kind=kind, problem=f"{path} is a link that leads nowhere, or has just been removed")
    except StoreError as error:
        return Finding(name=name, kind=kind, problem=error.message.removesuffix("."))


def _sound(name: str, note: str = "") -> Finding:
    return Finding(name=name, kind="", note=note)


def _wrong(name: str, problem: str) -> Finding:
    return Finding(name=name, kind="", problem=problem)


def _of_format(store: _Store, name: str, content: bytes) -> Finding:
    del store, content  # it was read before
    return _sound(name)


def _lock(store: _Store, name: str, content: bytes) -> Finding:
    del store, content
    return _sound(name)


def _record(store: _Store, name: str, content: bytes) -> Finding:
    path, folder = store.files.path(name), PurePosixPath(name).parent.name
    cell = cell_records.read_record(path, folder, content, store.oldest)
    if folder in store.copies:
        return _wrong(name, f"{path} is a copy of the record of cell {cell.id}")
    if cell.id != folder:
        return _wrong(name, f"{path} has been changed or moved: its values are those of cell {cell.id}")
    return _sound(name, "" if unsealed(content, path)[1] else _WITHOUT_CHECKSUM)


def _outcomes(store: _Store, name: str, content: bytes) -> Finding:
    path, folder = store.files.path(name), PurePosixPath(name).parent.name
    if folder in store.copies:
        return _wrong(name, f"{path} is in a copy of cell {store.copies[folder]}")
    if folder not in store.cells:
        return _wrong(name, f"{path} has no sound record of its cell next to it")
    found = _read(store, name, content, SCHEMA.names)
    if found.outcomes is None:
        return _wrong(name, f"{path} {found.problem}")
    return _sound(name, "" if shard.names_cell(content) else _WITHOUT_CELL)


def _read(store: _Store, name: str, content: bytes, columns: Sequence[str]) -> shard.ReadShard:
    folder = PurePosixPath(name).parent.name
    expected = Expected(folder, store.cells[folder].samples, store.oldest)
    return shard.read(shard.parse_name(name), content, expected, columns)


def _picture(store: _Store, name: str, content: bytes) -> Finding:
    path, folder = store.files.path(name), PurePosixPath(name).parent.name
    if folder in store.copies:
        return _wrong(name, f"{path} is in a copy of cell {store.copies[folder]}")
    problem = picture.problem(content, folder)
    return _wrong(name, f"{path} {problem}") if problem else _sound(name)


def _run(store: _Store, name: str, content: bytes) -> Finding:
    path = store.files.path(name)
    run_id, record = read_manifest(store.files, name, content, store.oldest)
    if run_id != PurePosixPath(name).stem:
        return _wrong(name, f"{path} is the record of run {run_id} under another name")
    if str(record.get("status")).startswith("finished"):
        store.finished.update(set(record.get("cells", [])) - set(record.get("failed", {})))
    if unsealed(content, path)[1]:
        return _sound(name)
    if (first := store.first_runs.setdefault(content, name)) != name:
        return _wrong(name, f"{path} is a copy of {first}")
    return _sound(name, _WITHOUT_CHECKSUM)


def _answers(store: _Store, name: str, content: bytes) -> Finding:
    answers.read_answers(store.files, name, content, store.oldest)
    return _sound(name, "" if unsealed(content, store.files.path(name))[1] else _WITHOUT_CHECKSUM)


def _without_contradictions(store: _Store, findings: list[Finding]) -> list[Finding]:
    """Mark the shards of a cell that hold other outcomes of some samples than a larger one."""
    shards = [finding for finding in findings if finding.kind == "outcomes" and not finding.problem]
    if len(shards) < 2:
        return findings
    columns, marked, kept = ["index", *IDENTIFYING], dict[str, str](), list[pa.Table]()
    for finding in sorted(shards, key=lambda finding: -shard.parse_name(finding.name).size):
        table = _read(store, finding.name, store.files.read(finding.name), columns).outcomes
        if contradicted := concatenate([*kept, table], columns)[1]:
            path = store.files.path(finding.name)
            marked[finding.name] = f"{path} holds other outcomes of {len(contradicted)} samples than a larger file"
        else:
            kept.append(table)
    return [replace(finding, problem=marked.get(finding.name, finding.problem)) for finding in findings]


_KINDS: Mapping[str, tuple[str, Callable[[_Store, str, bytes], Finding]]] = {
    store_format.NAME: ("format", _of_format),
    lease.NAME: ("lock", _lock),
    f"cells/*/{cell_records.NAME}": ("cell", _record),
    "cells/*/gallery.png": ("picture", _picture),
    "cells/*/*.parquet": ("outcomes", _outcomes),
    "runs/*.json": ("run", _run),
    "models/*.json": ("answers", _answers),
}
"""What files are by the patterns of their names, and how each kind is looked at."""
