"""Reader of images that a CSV labels: the table in a folder, or the table itself."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from pathlib import Path

from robustbench_eff.core.errors import DataError

from ..labelled_images import LabelledImages, file_stamp
from ..reader import DocumentedLayout, Reader
from .columns import WEAK_NAMES, label_columns, warn_of_other_labels
from .csv_rows import Row, read_header, read_rows
from .image_files import SUFFIXES, read_image
from .placeholder import refuse_placeholder
from .splits import rows_of_split, split_column
from .stray_files import absolute, holds_class_folders, unlisted_files

FILE_COLUMNS = ("file_name", "filename", "file", "path", "image", "image_id", "imageid", "id", "name")
"""Names of the column with file names, in order of preference."""
SHAPE_COLUMN, TEXTURE_COLUMN = "shape", "texture"
"""Columns with the two classes of cue-conflict images."""
LABEL_COLUMNS = ("label", "cls", "class_id", "classid", "class", "wnid", SHAPE_COLUMN)
"""Names of the column with labels, in order of preference."""
TABLE = "labels.csv"
"""Name of the table where a folder holds several."""
_SHOWN = 300
"""Characters of a text from a table that a message quotes."""
_LOOKED_AT = 100
"""Rows of a table that are looked up to see whether it names files."""


def find_csv(folder: Path) -> Path | None:
    """Return `labels.csv`, or the only CSV of a folder, if its columns name files and labels; else None.

    Beside class folders, it must name files that exist: it may be notes, or a list of the classes.

    Args:
        folder: The folder to search.
    """
    candidates = sorted(filter(_is_file, folder.glob("*.csv")))
    only = candidates[0] if len(candidates) == 1 else None
    table = next((path for path in candidates if path.name == TABLE), only)
    if table is None or not _is_table(table):
        return None
    return table if _names_files(table, folder) or not holds_class_folders(folder) else None


def _is_table(path: Path) -> bool:
    """Whether the columns of a file name files and labels."""
    columns = read_header(path).columns
    return _column(columns, FILE_COLUMNS) is not None and bool(label_columns(columns, LABEL_COLUMNS))


def _names_files(table: Path, folder: Path) -> bool:
    """Whether one of the first rows of a table names a file that exists."""
    header = read_header(table)
    column = _column(header.columns, FILE_COLUMNS)
    names = [row.cells.get(column or "") for row in islice(read_rows(table, header, lossy=True), _LOOKED_AT)]
    return any(name and _candidates(folder, name) for name in names)


def open_csv_folder(path: Path, split: str) -> LabelledImages:
    """List the images of a folder in the order of its CSV.

    Args:
        path: A folder in which `find_csv` finds a table, or the table.
        split: The split to take where a column of the table states the split of every row.

    Raises:
        DataError: The table is missing or one of several, or `open_table` refuses it.
    """
    if path.is_file():
        return replace(open_table(path, path.parent, wanted=split), origin=str(path))
    table = find_csv(path) or path / TABLE
    if table.is_file():
        return open_table(table, path, searched=path, wanted=split)
    tables = [table for table in sorted(filter(_is_file, path.glob("*.csv"))) if _is_table(table)]
    names = ", ".join(table.name for table in tables)
    raise DataError(f"{path} holds several tables: {names}.", f"Pass one of them, such as {tables[0]}.")


def open_table(
    table: Path,
    folder: Path,
    split: str = "local files",
    names: tuple[str, ...] = LABEL_COLUMNS,
    searched: Path | None = None,
    wanted: str = "test",
) -> LabelledImages:
    """List images in the order of a table.

    Args:
        table: The CSV, separated by commas, semicolons or tabs.
        folder: Folder that the names of the files start from.
        split: The split of `LabelledImages`.
        names: Names of the column with labels, in order of preference, in lower case.
        searched: Folder whose other files are told as ignored; None where the table alone says what is read.
        wanted: The split to take where a column states the split of every row.

    Raises:
        DataError: The table is empty or not UTF-8, two of its columns may be the labels or share their name, a row
            lacks its file, label or texture, or two rows name one file.
    """
    refuse_placeholder(table)
    header = read_header(table)
    rows = list(read_rows(table, header))
    if not rows:
        raise DataError(f"{table} does not have any rows.")
    file_column, found = _column(header.columns, FILE_COLUMNS), label_columns(header.columns, names)
    if file_column is None or not found:
        raise DataError(
            f"{table} has the columns {', '.join(header.columns)[:_SHOWN]}; "
            "it needs one with file names and one with labels.",
            f"Name them {FILE_COLUMNS[1]} and {names[0]}.",
        )
    _refuse_equal_names(table, header.columns, [file_column, *found])
    warn_of_other_labels(found, names, str(table))
    label_column = found[0]
    # A texture column means cue conflict only together with a shape column; otherwise it may be anything.
    has_textures = label_column.strip().lower() == SHAPE_COLUMN
    texture_column = _column(header.columns, (TEXTURE_COLUMN,)) if has_textures else None
    paths, labels, textures = [], [], []
    kept, split = _rows_of_split(table, rows, header.columns, wanted, split)
    for line, row in kept:
        name, label = row.get(file_column), row.get(label_column)
        texture = row.get(texture_column or "")
        if not name or not (label or "").strip():
            raise DataError(f"{table}, line {line}: the file name or the label is missing.")
        if texture_column is not None and not (texture or "").strip():
            raise DataError(f"{table}, line {line}: the texture is missing.")
        if any((each or "").strip().lower() == "nan" for each in (label, texture)):
            raise DataError(
                f"{table}, line {line}: 'nan' is what programs write for a missing label.",
                "Label the image, or remove the line.",
            )
        paths.append(_image(folder, name, table))
        labels.append(label)
        textures.append(texture)
    _refuse_repeated(table, paths, [line for line, _ in kept])
    others = [
        path for _, row in rows if len(kept) < len(rows) for path in _candidates(folder, row.get(file_column, ""))
    ]
    return LabelledImages(
        origin=str(folder),
        ids=_ids(folder, paths),
        labels=labels,
        read=lambda position: read_image(paths[position]),
        stamp="\n".join(map(file_stamp, paths)),
        split=split,
        textures=None if texture_column is None else textures,
        ignored=() if searched is None else unlisted_files(searched, table, [*paths, *others]),
    )


def _refuse_equal_names(table: Path, columns: list[str], used: list[str]) -> None:
    counts = Counter(column.lower() for column in columns)
    if equal := [column for column in used if counts[column.lower()] > 1]:
        raise DataError(f"{table} has {counts[equal[0].lower()]} columns named {equal[0]!r}.", "Rename all but one.")


def _rows_of_split(
    table: Path, rows: list[Row], columns: Iterable[str], wanted: str, split: str
) -> tuple[list[Row], str]:
    """Return the rows of the wanted split, and the split of `LabelledImages`; all rows where no column states one."""
    column = split_column(columns)
    if column is None:
        return rows, split
    found = rows_of_split(wanted, column, [row.get(column) for _, row in rows], str(table))
    return [rows[position] for position in found.rows], f"{split}, {found.text}"


def _column(columns: list[str], names: tuple[str, ...]) -> str | None:
    """Return the first column with one of these names, in their order of preference."""
    by_name = {column.lower(): column for column in columns}
    return next((by_name[name] for name in names if name in by_name), None)


def _image(folder: Path, name: str, table: Path) -> Path:
    """Return the file of a row, which may lie in `images`; a name without suffix may stand for any image format."""
    found = _candidates(folder, name)
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise DataError(f"{table} names {name!r}, which may be {names}.", "Write the suffix into the table.")
    if not found:
        absent = "does not exist" if Path(name).is_absolute() else f"is not in {folder}"
        raise DataError(f"{table} names {name[:_SHOWN]!r}, which {absent}.", _where_it_is(folder, name))
    return found[0]


def _candidates(folder: Path, name: str) -> list[Path]:
    """The file of a name as it is written, else all files that it names without their suffix."""
    written = [place / each for place in (folder, folder / "images") for each in {name, name.replace("\\", "/")}]
    if exact := next(filter(_is_file, written), None):
        return [exact]
    suffixes = [each for suffix in sorted(SUFFIXES) for each in (suffix, suffix.upper())]
    guessed = [path for each in written for suffix in suffixes if _is_file(path := Path(f"{each}{suffix}"))]
    return list({path.stat().st_ino: path for path in reversed(guessed)}.values())[::-1]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a text that is too long for a name, or has a null byte
        return False


def _where_it_is(folder: Path, name: str) -> str:
    """Return a hint if the file lies in one of the folders beside the table."""
    found = [child for child in sorted(folder.iterdir()) if child.is_dir() and _is_file(child / name)]
    return f"It is in {found[0]}: write {found[0].name}/ before the names, or move the table there." if found else ""


def _refuse_repeated(table: Path, paths: list[Path], numbers: list[int]) -> None:
    counts = Counter(paths)
    repeated = [path for path, count in counts.items() if count > 1]
    if repeated:
        lines = [line for line, path in zip(numbers, paths, strict=True) if path == repeated[0]]
        raise DataError(
            f"{table} lists {repeated[0].name} in the lines {' and '.join(map(str, lines[:2]))}.",
            "Keep one line for each image.",
        )


def _ids(folder: Path, paths: list[Path]) -> list[str]:
    """Return the paths below the folder, or below what all files have in common where some lie elsewhere."""
    places, root = list(map(absolute, paths)), absolute(folder)
    if not all(place.is_relative_to(root) for place in places):
        root = Path(os.path.commonpath([place.parent for place in places]))
    return [place.relative_to(root).as_posix() for place in places]


def _understands(path: Path) -> bool:
    if not path.is_dir():
        return path.suffix == ".csv" and path.is_file()
    if find_csv(path) is not None:
        return True
    has_table = (path / TABLE).is_file() or any(map(_is_table, filter(_is_file, path.glob("*.csv"))))
    has_images = has_table and any(child.suffix.lower() in SUFFIXES for child in path.iterdir())
    return has_images and not holds_class_folders(path)


CSV_FOLDER = Reader(
    understands=_understands,
    open=open_csv_folder,
    layouts=(
        DocumentedLayout(
            files="a folder with `labels.csv` or a single CSV, or the CSV (`,`, `;` or tab); names of files start from "
            "the folder or from `images` in it, with or without suffix, or are absolute; beside class folders, a CSV "
            "counts only if it names files",
            labels=f"column {' / '.join(f'`{name}`' for name in LABEL_COLUMNS)}; else the only one of "
            f"{', '.join(f'`{name}`' for name in WEAK_NAMES)}; `shape` and `texture` for cue conflict",
            class_order="numbers of the labels; names in sorted order",
        ),
    ),
)
