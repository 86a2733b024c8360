"""Reading the records of all cells: each in the folder that its id names, none twice, none changed."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, NamedTuple

from robustbench_eff.core.errors import RobustEvalWarning, StoreError

from .cell_outcomes import set_aside
from .record import REPAIR_HINT, check_sealed, sealed, unsealed
from .remote_files import Files
from .stored_cell import StoredCell, kind_of_configuration

NAME = "cell.json"
_ADDED: Mapping[str, int] = {"kind": 5, "uses": 5, "flags": 6, "weights_from": 7}
"""Fields of a record that older formats lack, by the format in which they came."""
_USES = (None, "one gradient", "gradients", "logits", "decisions")


class CellRecords(NamedTuple):
    """What the folders of a store's cells hold."""

    cells: dict[str, StoredCell]
    """The cells by their ids."""
    problems: dict[str, StoreError]
    """What is wrong with the record of a folder, by the folder's name."""
    copies: dict[str, str]
    """Folders that are copies of another cell's, and the id of that cell."""

    def warn_of_copies(self, files: Files) -> None:
        """Warn of every folder that is a copy of a cell's.

        Args:
            files: Files of the store.
        """
        for folder, cell_id in self.copies.items():
            path = files.path(f"cells/{folder}")
            warnings.warn(f"{path} is a copy of cell {cell_id}: it is left out.", RobustEvalWarning, stacklevel=3)


def write_record(files: Files, cell: StoredCell) -> None:
    """Write the record of a cell.

    Args:
        files: Files of the store.
        cell: The cell, with its id.
    """
    files.write(f"cells/{cell.id}/{NAME}", sealed({"id": cell.id} | cell.record()))


def read_records(files: Files, oldest: int) -> CellRecords:
    """Return the cells of a store.

    Args:
        files: Files of the store.
        oldest: Format of the oldest files that the store may hold.

    Raises:
        StoreError: A file cannot be read.
    """
    folders: dict[str, set[str]] = defaultdict(set)
    for name in files.matching("cells/*/*"):
        _, folder, file_name = name.split("/", 2)
        folders[folder].add(file_name)
    with_record = sorted(folder for folder in folders if NAME in folders[folder])
    contents = files.read_existing([f"cells/{folder}/{NAME}" for folder in with_record])
    found = CellRecords({}, {}, {})
    for folder, content in zip(with_record, contents, strict=True):
        try:
            cell = read_record(files.path(f"cells/{folder}/{NAME}"), folder, content, oldest)
        except StoreError as error:
            found.problems[folder] = error
            continue
        if cell.id == folder:
            found.cells[folder] = cell
        elif cell.id in with_record:
            found.copies[folder] = cell.id
        else:
            found.problems[folder] = _misplaced(files, folder, cell)
    for folder in sorted(folders.keys() - set(with_record)):
        if any(name.endswith(".parquet") for name in folders[folder]):
            message = f"{files.path(f'cells/{folder}')} holds outcomes without the record of their cell, {NAME}."
            found.problems[folder] = StoreError(message, REPAIR_HINT)
    return found


def restore(files: Files, problems: Mapping[str, StoreError], planned: Mapping[str, StoredCell]) -> bool:
    """Replace damaged and missing records of cells that a run is about to continue, with a warning for each.

    Args:
        files: Files of the store, locked for writing.
        problems: What is wrong with the record of a folder, by the folder's name.
        planned: The cells of the run by their ids.

    Returns:
        Whether a record was replaced.

    Raises:
        StoreError: The record of another cell is damaged.
    """
    for cell_id, problem in problems.items():
        if cell_id not in planned:
            raise problem
        name = f"cells/{cell_id}/{NAME}"
        if files.exists(name):
            set_aside(files, name)
        write_record(files, planned[cell_id])
        warnings.warn(f"{problem.message} It is written anew.", RobustEvalWarning, stacklevel=3)
    return bool(problems)


def read_one(files: Files, cell_id: str, oldest: int) -> StoredCell | None:
    """Return a cell by its id; None if it has no record.

    Args:
        files: Files of the store.
        cell_id: Id of the cell.
        oldest: Format of the oldest files that the store may hold.

    Raises:
        StoreError: The record is damaged.
    """
    name = f"cells/{cell_id}/{NAME}"
    return read_record(files.path(name), cell_id, files.read(name), oldest) if files.exists(name) else None


def read_record(path: str, folder: str, content: bytes, oldest: int) -> StoredCell:
    """Return the cell of a record.

    Args:
        path: Path or URL of the file, for messages.
        folder: Name of its folder.
        content: Content of the file.
        oldest: Format of the oldest files that the store may hold.

    Returns:
        The cell with the id that the record states, which of a record without a checksum is the hash of its fields.

    Raises:
        StoreError: The record is damaged.
    """
    record, is_sealed = unsealed(content, path)
    check_sealed(is_sealed, path, oldest)
    stated = record.pop("id", None) if is_sealed else folder
    try:
        cell = StoredCell.from_record(str(stated), record)
        return cell if is_sealed else _identified(cell, record, oldest)
    except (StoreError, AttributeError, KeyError, TypeError, ValueError) as error:
        message = error.message if isinstance(error, StoreError) else str(error)
        raise StoreError(f"{path} is no record of a cell: {message}", REPAIR_HINT) from error


def _identified(cell: StoredCell, record: Mapping[str, Any], oldest: int) -> StoredCell:
    """Return the cell of a record of an older format with the id that follows from its fields."""
    allowed = {name for name, since in _ADDED.items() if since > oldest}
    missing = {field.name for field in fields(StoredCell)} - {"id"} - record.keys() - allowed
    if missing:
        raise StoreError(f"{', '.join(sorted(missing))} is missing.")
    likely = kind_of_configuration(cell.configuration)
    if cell.uses not in _USES or cell.kind not in (likely, "certificate" if likely == "none" else likely):
        raise StoreError(f"a cell of kind {cell.kind!r} that uses {cell.uses!r} has another configuration.")
    return cell.identified()


def _misplaced(files: Files, folder: str, cell: StoredCell) -> StoreError:
    path = files.path(f"cells/{folder}/{NAME}")
    return StoreError(
        f"{path} has been changed or moved: its values are those of cell {cell.id}, not of {folder}.", REPAIR_HINT
    )
