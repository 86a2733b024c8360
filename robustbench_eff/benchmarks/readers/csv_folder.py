"""Reader of a flat folder of images with a CSV that labels them."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

from robustbench_eff.core.errors import DataError

from ..labelled_images import LabelledImages
from ..reader import DocumentedLayout, Reader
from .image_files import SUFFIXES, from_paths

FILE_COLUMNS = ("file_name", "filename", "file", "path", "image", "image_id", "imageid", "id", "name")
"""Names of the column with file names, in order of preference."""
SHAPE_COLUMN, TEXTURE_COLUMN = "shape", "texture"
"""Columns with the two classes of cue-conflict images."""
LABEL_COLUMNS = ("label", "cls", "class_id", "class", "wnid", SHAPE_COLUMN)
"""Names of the column with labels, in order of preference."""
NIPS_COLUMNS = ("imageid", "truelabel", "targetclass")
"""Columns of the images of NIPS 2017's adversarial competition; `TrueLabel` is an index of ImageNet plus 1."""


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
    return table if _column(header, FILE_COLUMNS) and _label_column(header) else None


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
    file_column, label_column = _column(header, FILE_COLUMNS), _label_column(header)
    # A texture column means cue conflict only together with a shape column; otherwise it may be anything.
    has_textures = str(label_column).strip().lower() == SHAPE_COLUMN
    texture_column = _column(header, (TEXTURE_COLUMN,)) if has_textures else None
    counts_from_one = str(label_column).strip().lower() == NIPS_COLUMNS[1]
    paths, labels, textures = [], [], []
    for line, row in enumerate(rows, 2):
        name, label = row.get(file_column or ""), row.get(label_column or "")
        texture = row.get(texture_column or "")
        if not name or not label:
            raise DataError(f"{table}, line {line}: the file name or the label is missing.")
        if texture_column is not None and not texture:
            raise DataError(f"{table}, line {line}: the texture is missing.")
        paths.append(_image(folder, name, table))
        labels.append(_less_one(label, table, line) if counts_from_one else label)
        textures.append(texture)
    opened = from_paths(folder, paths, labels)
    return opened if texture_column is None else replace(opened, textures=textures)


def _column(header: list[str], names: tuple[str, ...]) -> str | None:
    """Return the first column with one of these names, in their order of preference."""
    columns = {str(column).strip().lower(): column for column in header}
    return next((columns[name] for name in names if name in columns), None)


def _label_column(header: list[str]) -> str | None:
    is_nips = all(_column(header, (name,)) for name in NIPS_COLUMNS)
    return _column(header, LABEL_COLUMNS) or (_column(header, NIPS_COLUMNS[1:]) if is_nips else None)


def _less_one(label: str, table: Path, line: int) -> str:
    """The index of a class by its number in TensorFlow's list, whose class 0 is the background."""
    if not (label.strip().isdecimal() and 1 <= int(label) <= 1000):
        raise DataError(f"{table}, line {line}: TrueLabel is {label!r}, which is not a number from 1 to 1000.")
    return str(int(label) - 1)


def _image(folder: Path, name: str, table: Path) -> Path:
    """Return the file of a row, which may lie in `images`; a name without suffix may stand for any image format."""
    suffixes = ("", *sorted(SUFFIXES), *(suffix.upper() for suffix in sorted(SUFFIXES)))
    candidates = (place / f"{name}{suffix}" for place in (folder, folder / "images") for suffix in suffixes)
    path = next((candidate for candidate in candidates if candidate.is_file()), None)
    if path is None:
        raise DataError(f"{table} names {name!r}, which is not in {folder}.")
    return path


CSV_FOLDER = Reader(
    understands=lambda path: path.is_dir() and find_csv(path) is not None,
    open=lambda path, _: open_csv_folder(path),
    layouts=(
        DocumentedLayout(
            files="the images of NIPS 2017's adversarial competition: a CSV, and files in its folder or in `images`",
            labels="the column `TrueLabel` beside `ImageId` and `TargetClass`, an index of ImageNet plus 1: "
            "1 is subtracted",
            class_order="indices of ImageNet",
        ),
    ),
)
