"""Reader of CIFAR-10 and CIFAR-100 as their authors publish them: archives, binary files, and the python version.

Source: https://www.cs.toronto.edu/~kriz/cifar.html, "Dataset layout".
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from robustbench_eff.core.errors import DataError

from ..labelled_images import LabelledImages, file_stamp
from ..reader import DocumentedLayout, Reader
from .cifar_pickles import VALUES, PickledArray, names_in, read_pickle
from .placeholder import refuse_placeholder

TESTS = ("test_batch.bin", "test.bin", "test_batch", "test")
"""Names of the file with the test images."""
BATCH = re.compile(r"(test_batch|data_batch_[1-5]|test|train)(\.bin)?")
"""Names of all files with images."""
ARCHIVE = re.compile(r"cifar-?100?-(python|binary|batches-py|batches-bin)(-target)?\.(tar\.gz|tgz|tar)")
"""Names of the archives."""
CLASS_NAMES = {
    "batches.meta": "label_names",
    "meta": "fine_label_names",
    "batches.meta.txt": "",
    "fine_label_names.txt": "",
}
"""Names of the file with the class names, and of their entry in a pickle; empty for a text with one name a line."""
LABEL_BYTES = {VALUES + 1: 1, VALUES + 2: 2}
"""Number of label bytes by size of a record: CIFAR-100 has the coarse class before the fine class."""
LABEL_KEYS = ("labels", "fine_labels")
"""Names of the labels in a pickle, of CIFAR-10 and CIFAR-100."""


class Batch(NamedTuple):
    """The content of a published file."""

    pixels: npt.NDArray[np.uint8]
    """uint8 (N, 3072): all red values of an image, then all green, then all blue."""
    labels: list[int]
    """Class index of every image; for CIFAR-100 the fine class."""
    is_cifar100: bool
    """True for CIFAR-100, False for CIFAR-10."""


def _find(path: Path) -> Path | None:
    """Return a published file or archive, or the test images of an unpacked folder; None for any other path."""
    if path.is_dir():
        return next((path / name for name in TESTS if (path / name).is_file()), None)
    return path if path.is_file() and (BATCH.fullmatch(path.name) or ARCHIVE.fullmatch(path.name)) else None


def _open(path: Path, split: str) -> LabelledImages:
    """Read the images of a published file, or the test images of a folder or an archive.

    Raises:
        DataError: The file holds anything but images and labels of CIFAR.
    """
    del split  # a folder or an archive is opened for its test images, and a file holds one split
    place = _find(path)
    assert place is not None, f"{path} is not understood"
    refuse_placeholder(place)
    if ARCHIVE.fullmatch(place.name):
        return _labelled(place, *_unpacked(place), "test")
    beside = {name: place.parent / name for name in CLASS_NAMES if (place.parent / name).is_file()}
    named = {name: file.read_bytes() for name, file in beside.items()}
    return _labelled(place, place.name, place.read_bytes(), named, "test" if path.is_dir() else "local files")


def _unpacked(archive: Path) -> tuple[str, bytes, Mapping[str, bytes]]:
    """Return the name and content of the test batch in an archive, and the files with class names."""
    found: dict[str, bytes] = {}
    with tarfile.open(archive) as opened:
        for member in opened:
            name = Path(member.name).name
            if member.isfile() and (name in TESTS or name in CLASS_NAMES) and (file := opened.extractfile(member)):
                found[name] = file.read()
    batch = next((name for name in TESTS if name in found), None)
    if batch is None:
        raise DataError(f"{archive} holds none of {', '.join(TESTS)}.", "Download the archive again.")
    return batch, found[batch], {name: content for name, content in found.items() if name in CLASS_NAMES}


def _labelled(origin: Path, name: str, content: bytes, named: Mapping[str, bytes], split: str) -> LabelledImages:
    """Return the images of a batch, with the names of their classes where these are beside it."""
    pixels, numbers, is_cifar100 = _binary(origin, content) if name.endswith(".bin") else _pickled(origin, content)
    names = _class_names(named, is_cifar100)
    if names and max(numbers, default=0) >= len(names):
        raise DataError(
            f"{origin} has label {max(numbers)}, and the file beside it names {len(names)} classes.",
            "Keep the files of CIFAR-10 and CIFAR-100 in folders of their own.",
        )
    images = pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return LabelledImages(
        origin=str(origin),
        ids=[f"{row:08d}" for row in range(len(images))],
        labels=[names[number] for number in numbers] if names else numbers,
        read=lambda position: np.ascontiguousarray(images[position]),
        stamp=file_stamp(origin) + "".join(f"\n{name}" for name in names),
        split=f"{split} of CIFAR-{100 if is_cifar100 else 10}",
        class_names=names,
        class_order="numbers of the dataset" if names else "",
    )


def _class_names(named: Mapping[str, bytes], is_cifar100: bool) -> tuple[str, ...]:
    """Return the class names in their order; empty where no file has them."""
    wanted = ("meta", "fine_label_names.txt") if is_cifar100 else ("batches.meta", "batches.meta.txt")
    for name in wanted:
        if name in named:
            content, key = named[name], CLASS_NAMES[name]
            return names_in(content, key) if key else tuple(content.decode().split())
    return ()


def _binary(origin: Path, batch: bytes) -> Batch:
    """Read records of one or two label bytes and 3,072 pixel values."""
    content = np.frombuffer(batch, np.uint8)
    sizes = [size for size in LABEL_BYTES if len(content) and len(content) % size == 0]
    if len(sizes) != 1:
        raise DataError(
            f"{origin} holds {len(content)} bytes, which is not a whole number of CIFAR's records.",
            "Check that the file is complete.",
        )
    records = content.reshape(-1, sizes[0])
    num_label_bytes = LABEL_BYTES[sizes[0]]
    return Batch(
        pixels=records[:, num_label_bytes:],
        labels=records[:, num_label_bytes - 1].tolist(),
        is_cifar100=num_label_bytes > 1,
    )


def _pickled(origin: Path, batch: bytes) -> Batch:
    entries = read_pickle(batch)
    data = entries.get("data")
    labels = next((entries[key] for key in LABEL_KEYS if key in entries), None)
    if not isinstance(data, PickledArray) or not isinstance(labels, list):
        raise DataError(
            f"{origin} does not hold the data and labels of CIFAR.", "Pass the test batch of the python version."
        )
    pixels = data.pixels()
    if pixels is None or len(pixels) != len(labels):
        raise DataError(
            f"{origin}: CIFAR's data is uint8 of shape (labels, {VALUES}).", "Check that it is the published file."
        )
    return Batch(pixels, labels, is_cifar100="fine_labels" in entries)


CIFAR_FILES = Reader(
    understands=lambda path: _find(path) is not None,
    open=_open,
    layouts=(
        DocumentedLayout(
            files="`cifar-10-batches-py`, `cifar-10-batches-bin`, `cifar-100-python`, `cifar-100-binary` as "
            "unpacked, one of their files, or the archive (`cifar-10-python.tar.gz`)",
            labels="in the files; the fine classes of CIFAR-100",
            class_order="numbers in the files, which `batches.meta` or `meta` names",
        ),
    ),
)
