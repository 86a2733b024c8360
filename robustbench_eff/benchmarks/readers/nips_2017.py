"""Reader of the images of NIPS 2017's adversarial competition, whose labels count a background class.

Source: "Adversarial Attacks and Defences Competition", Kurakin et al. 2018, arXiv:1804.00097; `dev_dataset.csv`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from robustbench_eff.core.errors import DataError

from ..labelled_images import LabelledImages
from ..reader import DocumentedLayout, Reader
from .csv_folder import open_table

COLUMNS = {"imageid", "truelabel", "targetclass"}
"""Columns by which the table is known, in lower case."""
_CLASSES = 1000
_LONGEST_LINE = 10_000
"""Characters of the first line of a table that are read."""


def _table(path: Path) -> Path | None:
    """Return the table at a path or in a folder; None for any other path."""
    tables = [path] if path.suffix == ".csv" else sorted(path.glob("*.csv")) if path.is_dir() else []
    if len(tables) != 1 or not tables[0].is_file():
        return None
    with tables[0].open(encoding="utf-8-sig", errors="replace") as file:
        columns = {column.strip().lower() for column in file.readline(_LONGEST_LINE).split(",")}
    return tables[0] if columns >= COLUMNS else None


def _open(path: Path, split: str) -> LabelledImages:
    del split  # the table has one
    table = _table(path)
    assert table is not None, f"{path} is not understood"
    opened = open_table(table, table.parent, names=("truelabel",), searched=path if path.is_dir() else None)
    indices = [_index(label, table, name) for name, label in zip(opened.ids, opened.labels, strict=True)]
    return replace(opened, labels=indices, origin=str(path))


def _index(label: str, table: Path, name: str) -> int:
    """Return ImageNet's index of a class by its number in TensorFlow's list, whose class 0 is the background."""
    if not (label.strip().isdecimal() and 1 <= int(label) <= _CLASSES):
        raise DataError(f"{table}: TrueLabel of {name} is {label!r}, which is not a number from 1 to {_CLASSES}.")
    return int(label) - 1


NIPS_2017 = Reader(
    understands=lambda path: _table(path) is not None,
    open=_open,
    layouts=(
        DocumentedLayout(
            files="the images of NIPS 2017's adversarial competition: a CSV, and files in its folder or in `images`",
            labels="the column `TrueLabel` beside `ImageId` and `TargetClass`, an index of ImageNet plus 1: "
            "1 is subtracted",
            class_order="indices of ImageNet",
        ),
    ),
)
