"""The files that label the validation images of ILSVRC 2012, which carry no label in their names."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from robustbench_eff.core.errors import DataError, RobustEvalError
from robustbench_eff.core.outside_files import read_text

from ..definitions.imagenet import IMAGENET, OUTPUTS
from .imagenet_devkit import ARCHIVE, GROUND_TRUTH, wnids_of_archive, wnids_of_folder

SOLUTION = "LOC_val_solution.csv"
"""Name of Kaggle's file."""
SYNSET_LABELS = ("imagenet_2012_validation_synset_labels.txt", "ILSVRC2012_validation_synset_labels.txt")
"""Names of a file with one wnid per line, in the order of the images."""
_WNID = re.compile(r"n\d{8}")


class ValidationLabels(NamedTuple):
    """The label of every validation image."""

    path: Path
    """The file that states them."""
    label_of: Mapping[str, str]
    """Wnid or class index by the name of the image without its suffix."""


def find_labels(folders: Iterable[Path]) -> ValidationLabels | None:
    """Return the labels of the first file that is found; None where there is none.

    Args:
        folders: Where to look, nearest first.

    Raises:
        DataError: The file is damaged, or its numbers are not the indices of a model's outputs.
    """
    for folder in folders:
        for name, read in _FILES.items():
            if (path := folder / name).is_file():
                return ValidationLabels(path, _read(path, read))
    return None


def _read(path: Path, read: Callable[[Path], Mapping[str, str]]) -> Mapping[str, str]:
    try:
        return read(path)
    except RobustEvalError:
        raise
    except Exception as error:
        raise DataError(f"{path} cannot be read: {type(error).__name__}: {error}", "Replace the file.") from error


def _listed(path: Path) -> dict[str, str]:
    """Lines of a file name and a label, as in Caffe's val.txt."""
    rows = [line.split() for line in read_text(path).splitlines() if line.strip()]
    for number, row in enumerate(rows, 1):
        if len(row) != 2:
            raise DataError(
                f"{path}, line {number}: {' '.join(row)!r} is not a file name and a label.",
                "Write lines such as `ILSVRC2012_val_00000001.JPEG 65`.",
            )
    label_of = _by_name(path, ((name, label) for name, label in rows))
    if len(rows) > 1 and all(name[-8:].lstrip("0") == label for name, label in label_of.items()):
        raise DataError(
            f"{path} numbers its images one by one: it is Kaggle's list of files, without labels.",
            f"Remove it, and put Kaggle's {SOLUTION} next to the images.",
        )
    if (largest := max((int(label) for label in label_of.values() if label.isdecimal()), default=0)) >= OUTPUTS:
        raise DataError(
            f"{path} has the label {largest}; a model's outputs are 0 to {OUTPUTS - 1}.", IMAGENET.labels_from_one
        )
    return label_of


def _one_per_line(path: Path) -> dict[str, str]:
    wnids = read_text(path).split()
    if wrong := [wnid for wnid in wnids if not _WNID.fullmatch(wnid)]:
        raise DataError(f"{path} holds {wrong[0]!r}, which is not a wnid such as n01440764.")
    return _in_order(wnids)


def _solution(path: Path) -> dict[str, str]:
    """Kaggle's rows of an image and its boxes, each a wnid and four numbers; all boxes of an image have one class."""
    rows = list(csv.DictReader(io.StringIO(read_text(path), newline="")))
    boxes = [(row.get("ImageId") or "", (row.get("PredictionString") or "").split()) for row in rows]
    if bad := next((line for line, (name, words) in enumerate(boxes, 2) if not (name and words)), None):
        raise DataError(f"{path}, line {bad}: there is no ImageId, or no wnid in PredictionString.")
    return _by_name(path, ((name, words[0]) for name, words in boxes))


def _by_name(path: Path, rows: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The label of every image, by its name without folder and suffix."""
    label_of: dict[str, str] = {}
    for name, label in rows:
        if label_of.setdefault(stem := PurePosixPath(name).stem, label) != label:
            raise DataError(
                f"{path} gives {stem} two labels, {label_of[stem]} and {label}.", "Keep one line for each image."
            )
    return label_of


def _in_order(labels: list[str]) -> dict[str, str]:
    return {f"ILSVRC2012_val_{number:08d}": label for number, label in enumerate(labels, 1)}


_FILES: dict[str, Callable[[Path], Mapping[str, str]]] = {
    "val.txt": _listed,
    "meta/val.txt": _listed,
    SOLUTION: _solution,
    **dict.fromkeys(SYNSET_LABELS, _one_per_line),
    **dict.fromkeys(
        (f"{folder}{GROUND_TRUTH}" for folder in ("ILSVRC2012_devkit_t12/data/", "data/", "")),
        lambda path: _in_order(wnids_of_folder(path)),
    ),
    ARCHIVE: lambda path: _in_order(wnids_of_archive(path)),
}
"""How to read each file, by its path below a folder; the first that exists is read."""
