"""Reader of a flat folder of images with a CSV that labels them."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

from robustbench_eff.core.errors import DataError

from ..labelled_images import LabelledImages
from ..reader import Reader
from .image_files import SUFFIXES, from_paths

FILE_COLUMNS = ("file_name", "filename", "file", "path", "image", "image_id", "id", "name")
"""Names of the column with file names, in order of preference."""
SHAPE_COLUMN, TEXTURE_COLUMN = "shape", "texture"
"""Columns with the two classes of cue-conflict images."""
LABEL_COLUMNS = ("label", "cls", "class_id", "class", "wnid", SHAPE_COLUMN)
"""Names of the column with labels, in order of preference."""


def find_csv(folder: Path) -> Path | None:
    """Return `labels.csv`, or the only CSV of a folder, if its columns name files and labels; else None.

    Args:
        folder: The folder to search.
    """
    candidates = sorted(folder.glob("*.csv"))
    only = candidates[0] if len(candidates) == 1 else None
    table = next((path for path in candidates if path.name == "labels.csv"), only)
    if table is None:
        return None
    with table.open(newline="", encoding="utf-8-sig") as file:
        header = next(csv.reader(file), [])
    return table if _column(header, FILE_COLUMNS) and _column(header, LABEL_COLUMNS) else None


def open_csv_folder(folder: Path) -> LabelledImages:
    """List the images of a folder in the order of its CSV.

    Args:
        folder: A folder in which `find_csv` finds a table.

    Raises:
        DataError: The table is missing or empty, or a row lacks its file, label or texture.
    """
    if (table := find_csv(folder)) is None:
        raise DataError(f"{folder} needs a CSV that names files and labels.")
    with table.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        raise DataError(f"{table} does not have any rows.")
    header = list(rows[0])
    file_column, label_column = _column(header, FILE_COLUMNS), _column(header, LABEL_COLUMNS)
    # A texture column means cue conflict only together with a shape column; otherwise it may be anything.
    has_textures = str(label_column).strip().lower() == SHAPE_COLUMN
    texture_column = _column(header, (TEXTURE_COLUMN,)) if has_textures else None
    paths, labels, textures = [], [], []
    for line, row in enumerate(rows, 2):
        name, label = row.get(file_column or ""), row.get(label_column or "")
        texture = row.get(texture_column or "")
        if not name or not label:
            raise DataError(f"{table}, line {line}: the file name or the label is missing.")
        if texture_column is not None and not texture:
            raise DataError(f"{table}, line {line}: the texture is missing.")
        paths.append(_image(folder, name, table))
        labels.append(label)
        textures.append(texture)
    opened = from_paths(folder, paths, labels)
    return opened if texture_column is None else replace(opened, textures=textures)


def _column(header: list[str], names: tuple[str, ...]) -> str | None:
    """Return the first column with one of these names, in their order of preference."""
    columns = {str(column).strip().lower(): column for column in header}
    return next((columns[name] for name in names if name in columns), None)


def _image(folder: Path, name: str, table: Path) -> Path:
    """Return the file of a row; a name without suffix may stand for any image format."""
    candidates = (folder / name, *(folder / f"{name}{suffix}" for suffix in sorted(SUFFIXES)))
    path = next((candidate for candidate in candidates if candidate.is_file()), None)
    if path is None:
        raise DataError(f"{table} names {name!r}, which is not in {folder}.")
    return path


CSV_FOLDER = Reader(
    understands=lambda path: path.is_dir() and find_csv(path) is not None, open=lambda path, _: open_csv_folder(path)
)
