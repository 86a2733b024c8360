"""A flat folder of images with a CSV that labels them."""

from __future__ import annotations

import csv
from pathlib import Path

from robustbench_eff.errors import DataError

from .benchmark import LabelledImages
from .class_folders import SUFFIXES, from_paths

FILE_COLUMNS = ("file_name", "filename", "file", "path", "image", "image_id", "id", "name")
LABEL_COLUMNS = ("label", "cls", "class_id", "class", "wnid")


def find_csv(folder: Path) -> Path | None:
    """`labels.csv`, or the only CSV there."""
    found = sorted(folder.glob("*.csv"))
    return next((path for path in found if path.name == "labels.csv"), found[0] if len(found) == 1 else None)


def open_csv_folder(folder: Path) -> LabelledImages:
    """Images in the order of the CSV. DataError if columns, files or labels are missing."""
    table = find_csv(folder)
    if table is None:
        raise DataError(f"{folder} has no CSV of labels.")
    with table.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        raise DataError(f"{table} has no rows.")
    names = {name.lower(): name for name in rows[0]}
    file_column, label_column = _column(table, names, FILE_COLUMNS), _column(table, names, LABEL_COLUMNS)
    paths = [_image(folder, row[file_column], table) for row in rows]
    return from_paths(folder, paths, [row[label_column].strip() for row in rows])


def _column(table: Path, names: dict[str, str], wanted: tuple[str, ...]) -> str:
    for name in wanted:
        if name in names:
            return names[name]
    raise DataError(f"{table} needs a column {' or '.join(wanted)}; it has {', '.join(names.values())}.")


def _image(folder: Path, name: str, table: Path) -> Path:
    """The file of a row; a name without suffix may stand for any image format."""
    candidates = (folder / name, *(folder / f"{name}{suffix}" for suffix in sorted(SUFFIXES)))
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        raise DataError(f"{table} names {name!r}, which is not in {folder}.")
    return found
