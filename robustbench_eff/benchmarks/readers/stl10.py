"""Reader of STL-10's binary files.

Source: Coates, Ng & Lee 2011, https://cs.stanford.edu/~acoates/stl10, "binary version"; axes as in torchvision.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from robustbench_eff.core.errors import DataError

from ..labelled_images import LabelledImages, file_stamp
from ..reader import DocumentedLayout, Reader
from .placeholder import refuse_placeholder

_SIZE = 96
"""Height and width of the images in pixels."""


def _find(path: Path) -> Path | None:
    """Return a file with labelled images: of a folder the test images, or the file itself; else None."""
    file = path / "test_X.bin" if path.is_dir() else path
    return file if file.name in ("test_X.bin", "train_X.bin") and file.is_file() else None


def _open(path: Path, split: str) -> LabelledImages:
    del split  # a folder is opened for its test images, and a file holds one split
    file = _find(path)
    assert file is not None, f"{path} is not understood"
    split_name = file.name.partition("_")[0]
    labels_file, names_file = file.with_name(f"{split_name}_y.bin"), file.with_name("class_names.txt")
    if not labels_file.is_file():
        raise DataError(f"{file} needs its labels, {labels_file.name}, in the same folder.", "Download them, too.")
    for each in (file, labels_file):
        refuse_placeholder(each)
    content, numbers = np.memmap(file, np.uint8, mode="r"), np.fromfile(labels_file, np.uint8).astype(int)
    if len(content) != len(numbers) * 3 * _SIZE * _SIZE:
        raise DataError(f"{file} does not hold one image for each of {len(numbers)} labels.", "Download it again.")
    names = tuple(names_file.read_text().split()) if names_file.is_file() else ()
    if numbers.min() < 1 or (names and numbers.max() > len(names)):
        raise DataError(f"{labels_file} has labels outside of 1 to {len(names) or 10}.", "Download it again.")
    # Channels come first, and within a channel columns come first.
    images = content.reshape(-1, 3, _SIZE, _SIZE).transpose(0, 3, 2, 1)
    return LabelledImages(
        origin=str(file),
        ids=[f"{row:08d}" for row in range(len(images))],
        labels=[names[number - 1] if names else int(number) - 1 for number in numbers],
        read=lambda position: np.ascontiguousarray(images[position]),
        stamp="\n".join([file_stamp(file), file_stamp(labels_file), *names]),
        split=f"{split_name} of STL-10",
        class_names=names,
        class_order="numbers of the dataset, minus 1",
    )


STL10 = Reader(
    understands=lambda path: _find(path) is not None,
    open=_open,
    layouts=(
        DocumentedLayout(
            files="STL-10: `stl10_binary` with `test_X.bin` and `test_y.bin`",
            labels="`test_y.bin`, named by `class_names.txt`",
            class_order="numbers in the file, minus 1",
        ),
    ),
)
