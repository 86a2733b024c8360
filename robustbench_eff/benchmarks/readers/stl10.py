"""Reader of STL-10's binary files.

Source: Coates, Ng & Lee 2011, https://cs.stanford.edu/~acoates/stl10, "binary version"; axes as in torchvision.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from robustbench_eff.core.errors import DataError
from robustbench_eff.core.outside_files import read_text

from ..labelled_images import LabelledImages, file_stamp
from ..reader import DocumentedLayout, Reader
from .placeholder import refuse_placeholder
from .splits import named_split, pick_split

_SIZE = 96
"""Height and width of the images in pixels."""


def _files(path: Path) -> dict[str, Path]:
    """Return the files with labelled images by their split: those of a folder, or the file itself."""
    files = {split: path / f"{split}_X.bin" if path.is_dir() else path for split in ("test", "train")}
    return {split: file for split, file in files.items() if file.name == f"{split}_X.bin" and file.is_file()}


def _open(path: Path, split: str) -> LabelledImages:
    files = _files(path)
    if path.is_file():
        file = files[named_split(split, path.name, str(path))]
    else:
        first = next(iter(files.values()))
        file = files[pick_split(split, files, str(path), f"Pass the file of one, such as {first}.")]
    split_name = file.name.partition("_")[0]
    labels_file, names_file = file.with_name(f"{split_name}_y.bin"), file.with_name("class_names.txt")
    if not labels_file.is_file():
        raise DataError(f"{file} needs its labels, {labels_file.name}, in the same folder.", "Download them, too.")
    for each in (file, labels_file):
        refuse_placeholder(each)
    content, numbers = np.memmap(file, np.uint8, mode="r"), np.fromfile(labels_file, np.uint8).astype(int)
    if len(content) != len(numbers) * 3 * _SIZE * _SIZE:
        raise DataError(f"{file} does not hold one image for each of {len(numbers)} labels.", "Download it again.")
    names = tuple(read_text(names_file).split()) if names_file.is_file() else ()
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
    understands=lambda path: bool(_files(path)),
    open=_open,
    layouts=(
        DocumentedLayout(
            files="STL-10: `stl10_binary` with `test_X.bin` and `test_y.bin`",
            labels="`test_y.bin`, named by `class_names.txt`",
            class_order="numbers in the file, minus 1",
        ),
    ),
)
