"""Models of a store: renamed, dropped, restored; and files that nothing reads any more, deleted.

A dropped cell moves into the store's folder `dropped`, from where it can be restored. Only `delete_garbage` deletes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath

from robustbench_eff.core.errors import StoreError, UsageError

from . import cell_records, lease, store_format
from .check import DROPPED, SET_ASIDE, UNFINISHED
from .model_names import check_model_name
from .remote_files import Files
from .repair import check_store
from .stored_cell import StoredCell


def rename_model(place: Path | str, cell_ids: Collection[str], name: str) -> None:
    """Give the model of some cells another name; its identity stays, and further outcomes of it come under the name.

    Args:
        place: Folder, or URL that fsspec supports.
        cell_ids: Ids of all cells of the model.
        name: The new name.

    Raises:
        UsageError: There is no store, the name is not valid, or another model of the store has it.
        StoreError: A record is damaged, or another process writes to the store.
    """
    check_model_name(name)
    with _locked(place) as files:
        cells = _cells(files)
        if any(cell.model == name for cell in cells.values() if cell.id not in cell_ids):
            raise UsageError(f"Another model of {place} is called {name}.", "Choose a name that tells them apart.")
        for cell_id in cell_ids:
            cell_records.write_record(files, replace(cells[cell_id], model=name))


def drop_cells(place: Path | str, cell_ids: Collection[str]) -> None:
    """Move cells out of sight: no table shows them, and a run computes them again.

    Args:
        place: Folder, or URL that fsspec supports.
        cell_ids: Ids of the cells.

    Raises:
        UsageError: There is no store, or a cell of these was dropped before and then evaluated again.
        StoreError: The store cannot be written, or another process writes to it.
    """
    with _locked(place) as files:
        if again := _present(files, DROPPED, cell_ids):
            raise UsageError(
                f"{len(again)} cells were dropped before, and evaluated again.",
                "Delete what was dropped before with `robust-eval store gc --yes`.",
            )
        for cell_id in cell_ids:
            # The record goes last, so that a crash in between leaves a cell with fewer samples, not one without a name.
            for name in _record_last(files.matching(f"cells/{cell_id}/*")):
                files.rename(name, f"{DROPPED}/{name.removeprefix('cells/')}")


def dropped_cells(place: Path | str) -> dict[str, StoredCell]:
    """Return the cells that were dropped, by their ids.

    Args:
        place: Folder, or URL that fsspec supports.

    Raises:
        UsageError: There is no store.
        StoreError: A record is damaged.
    """
    files = Files.at(place)
    oldest = _oldest(files)
    names = files.matching(f"{DROPPED}/*/{cell_records.NAME}")
    cells = [
        cell_records.read_record(files.path(name), PurePosixPath(name).parent.name, files.read(name), oldest)
        for name in names
    ]
    return {cell.id: cell for cell in cells}


def restore_cells(place: Path | str, cell_ids: Collection[str]) -> None:
    """Move dropped cells back.

    Args:
        place: Folder, or URL that fsspec supports.
        cell_ids: Ids of dropped cells.

    Raises:
        UsageError: There is no store, or a cell was evaluated again after it was dropped.
        StoreError: The store cannot be written, or another process writes to it.
    """
    with _locked(place) as files:
        if again := _present(files, "cells", cell_ids):
            raise UsageError(
                f"{len(again)} of {len(cell_ids)} cells were evaluated again after they were dropped.",
                "Both hold the same evaluations: keep the new ones, and delete the old: `robust-eval store gc --yes`.",
            )
        for cell_id in cell_ids:
            for name in reversed(_record_last(files.matching(f"{DROPPED}/{cell_id}/*"))):
                files.rename(name, f"cells/{name.removeprefix(f'{DROPPED}/')}")


def garbage(place: Path | str) -> list[str]:
    """Return the names of the files that nothing reads: set aside, dropped, or left unfinished by killed runs.

    Args:
        place: Folder, or URL that fsspec supports.

    Raises:
        UsageError: There is no store.
        StoreError: The store cannot be read.
    """
    return [finding.name for finding in check_store(place) if finding.kind in (SET_ASIDE, DROPPED, UNFINISHED)]


def delete_garbage(place: Path | str) -> list[str]:
    """Delete the files that `garbage` names, and return their names.

    Args:
        place: Folder, or URL that fsspec supports.

    Raises:
        UsageError: There is no store.
        StoreError: The store cannot be written, or another process writes to it.
    """
    with _locked(place) as files:
        names = garbage(place)
        for name in names:
            files.remove(name)
        if (folder := files.folder) is not None:
            for parent in sorted({(folder / name).parent for name in names}, reverse=True):
                while parent != folder and parent.is_dir() and not any(parent.iterdir()):
                    parent.rmdir()
                    parent = parent.parent
        return names


@contextmanager
def _locked(place: Path | str) -> Iterator[Files]:
    files = Files.at(place)
    _oldest(files)
    files.check_writable()
    with lease.held(files) as locked:
        yield locked


def _cells(files: Files) -> dict[str, StoredCell]:
    found = cell_records.read_records(files, _oldest(files))
    for problem in found.problems.values():
        raise StoreError(problem.message, "Look at the whole store with `robust-eval store check`.")
    return found.cells


def _oldest(files: Files) -> int:
    known = store_format.read(files)
    if known is None:
        raise UsageError(
            f"{files.place} is not a store of outcomes: no {store_format.NAME}.", "Pass what a run printed."
        )
    return known.oldest


def _present(files: Files, folder: str, cell_ids: Collection[str]) -> list[str]:
    """The cells of these whose records are in a folder."""
    return [cell_id for cell_id in cell_ids if files.exists(f"{folder}/{cell_id}/{cell_records.NAME}")]


def _record_last(names: Collection[str]) -> list[str]:
    return sorted(names, key=lambda name: (name.endswith(f"/{cell_records.NAME}"), name))
