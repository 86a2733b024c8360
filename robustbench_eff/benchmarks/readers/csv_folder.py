"""A flat folder of images with a CSV that labels them."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

from robustbench_eff.core.errors import DataError

from ..labelled_images import LabelledImages
from .class_folders import SUFFIXES, from_paths

FILE_COLUMNS = ("file_name", "filename", "file", "path", "image", "image_id", "id", "name")
SHAPE_COLUMN, TEXTURE_COLUMN = "shape", "texture"
LABEL_COLUMNS = ("label", "cls", "class_id", "class", "wnid", SHAPE_COLUMN)


def find_csv(folder: Path) -> Path | None:
    """`labels.csv`, or the only CSV there, if its columns name files and labels."""
    found = sorted(folder.glob("*.csv"))
    table = next((path for path in found if path.name == "labels.csv"), found[0] if len(found) == 1 else None)
    if table is None:
        return None
    with table.open(newline="", encoding="utf-8-sig") as file:
        header = next(csv.reader(file), [])
    return table if _column(header, FILE_COLUMNS) and _column(header, LABEL_COLUMNS) else None


def open_csv_folder(folder: Path, table: Path) -> LabelledImages:
    """Images in the order of the CSV. DataError if a file or a label is missing."""
    with table.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        raise DataError(f"{table} has no rows.")
    file_column, label_column = _column(list(rows[0]), FILE_COLUMNS), _column(list(rows[0]), LABEL_COLUMNS)
    conflicting = str(label_column).strip().lower() == SHAPE_COLUMN  # a texture beside another label may be anything
    texture_column = _column(list(rows[0]), (TEXTURE_COLUMN,)) if conflicting else None
    paths, labels, textures = [], [], []
    for number, row in enumerate(rows, 2):
        name, label = row.get(file_column or ""), row.get(label_column or "")
        texture = row.get(texture_column or "")
        if not name or not label:
            raise DataError(f"{table}, line {number}: the file name or the label is missing.")
        if texture_column is not None and not texture:
            raise DataError(f"{table}, line {number}: the texture is missing.")
        paths.append(_image(folder, name, table))
        labels.append(label)
        textures.append(texture)
    opened = from_paths(folder, paths, labels)
    return opened if texture_column is None else replace(opened, textures=textures)


def _column(header: list[str], wanted: tuple[str, ...]) -> str | None:
    """The column that has one of these names, in their order of preference."""
    names = {str(name).strip().lower(): name for name in header}
    return next((names[name] for name in wanted if name in names), None)


def _image(folder: Path, name: str, table: Path) -> Path:
    """The file of a row; a name without suffix may stand for any image format."""
    candidates = (folder / name, *(folder / f"{name}{suffix}" for suffix in sorted(SUFFIXES)))
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        raise DataError(f"{table} names {name!r}, which is not in {folder}.")
    return found
