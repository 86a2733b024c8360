"""Reader of GTSRB: the official files, torchvision's root, and the copy on Kaggle.

Source: Stallkamp et al. 2012, https://benchmark.ini.rub.de/gtsrb_dataset.html; torchvision.datasets.GTSRB.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from robustbench_eff.core.errors import DataError

from ..labelled_images import LabelledImages
from ..reader import DocumentedLayout, Reader
from .class_folders import open_class_folders
from .csv_folder import open_table
from .placeholder import refuse_placeholder

_LABELS = "GT-final_test.csv"
"""The official labels, a download of its own. `GT-final_test.test.csv` beside the images has none."""
_KAGGLE_LABELS = "Test.csv"
_KAGGLE_COLUMNS = b"ClassId,Path"
"""End of the first line of the table on Kaggle."""
_LEVELS = 4
"""Number of folders above the images in which the labels are looked for, the folder of the images included."""


class _Place(NamedTuple):
    """Where test images and their labels are."""

    folder: Path
    """Folder that the names in the table start from."""
    table: Path | None
    """The table with the labels; None where it is missing."""


def _find(path: Path) -> _Place | None:
    if (path / "Test").is_dir() and _is_from_kaggle(path / _KAGGLE_LABELS):
        return _Place(path, path / _KAGGLE_LABELS)
    below = (path, path / "Images", path / "Final_Test" / "Images", path / "GTSRB" / "Final_Test" / "Images")
    images = next(
        (folder for folder in below if folder.parts[-2:] == ("Final_Test", "Images") and folder.is_dir()), None
    )
    if images is None:
        return None
    tables = (folder / _LABELS for folder in (images, *images.parents[: _LEVELS - 1]))
    return _Place(images, next((table for table in tables if table.is_file()), None))


def _is_from_kaggle(table: Path) -> bool:
    """Whether a table is that of GTSRB's copy on Kaggle: other sets there have a Test.csv, too."""
    if not table.is_file():
        return False
    with table.open("rb") as file:
        return file.readline(512).strip().endswith(_KAGGLE_COLUMNS)


def _training(place: _Place) -> Path | None:
    """Return the class folders of the training images beside the test images; None where they are missing."""
    root = place.folder if place.folder.name != "Images" else place.folder.parent.parent
    folders = (root / "Final_Training" / "Images", root / "Training", root / "Train")
    return next((folder for folder in folders if folder.is_dir()), None)


def _open(path: Path, split: str) -> LabelledImages:
    place = _find(path)
    assert place is not None, f"{path} is not understood"
    if split == "train":
        training = _training(place)
        if training is None:
            raise DataError(f"{path} has only the split 'test', where 'train' is wanted.", "Pass training images.")
        return replace(open_class_folders(training), split="train of GTSRB")
    if place.table is None:
        raise DataError(
            f"{place.folder} has no labels: {_LABELS} is missing.",
            f"Unpack GTSRB_Final_Test_GT.zip of the same site into {place.folder.parent}.",
        )
    refuse_placeholder(place.table)
    return open_table(place.table, place.folder, "test of GTSRB")


GTSRB = Reader(
    understands=lambda path: path.is_dir() and _find(path) is not None,
    open=_open,
    layouts=(
        DocumentedLayout(
            files="GTSRB: `GTSRB/Final_Test/Images/*.ppm` and `GT-final_test.csv` in one of these "
            "folders or above them; or the copy on Kaggle, `Test.csv` and `Test/*.png`; for a training "
            "the class folders beside them",
            labels="`ClassId` in the table; the folder",
            class_order="numbers of the labels",
        ),
    ),
)
