"""Reader of CIFAR-10 and CIFAR-100 as their authors publish them: archives, binary files, and the python version.

Source: https://www.cs.toronto.edu/~kriz/cifar.html, "Dataset layout".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from robustbench_eff.core.errors import DataError
from robustbench_eff.core.outside_archives import files_of_tar
from robustbench_eff.core.outside_files import as_text, read_bytes

from ..labelled_images import LabelledImages, file_stamp
from ..reader import DocumentedLayout, Reader
from .cifar_pickles import PICKLE, VALUES, PickledArray, names_in, read_pickle
from .placeholder import refuse_placeholder
from .splits import named_split, pick_split

_BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))
FILES = {
    "test": (("test_batch.bin",), ("test.bin",), ("test_batch",), ("test",)),
    "train": (tuple(f"{name}.bin" for name in _BATCHES), ("train.bin",), _BATCHES, ("train",)),
}
"""Names of the files with the images of a split, of CIFAR-10 and CIFAR-100 in the binary and the python version."""
BATCH = re.compile(r"(test_batch|data_batch_[1-5]|test|train)(\.bin)?")
"""Names of all files with images."""
_COMMON = re.compile(r"(test|train)(\.bin)?")
"""Those that files of anything else have, too."""
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
_MAX_BYTES = 2**30
"""Largest file with images; that of CIFAR-100 has 148 MiB."""
_Content = TypeVar("_Content")


class Batch(NamedTuple):
    """The content of a published file."""

    pixels: npt.NDArray[np.uint8]
    """uint8 (N, 3072): all red values of an image, then all green, then all blue."""
    labels: list[int]
    """Class index of every image; for CIFAR-100 the fine class."""
    is_cifar100: bool
    """True for CIFAR-100, False for CIFAR-10."""


class _Place(NamedTuple):
    """Where the images of a split are."""

    files: list[Path]
    """The files with the images."""
    split: str
    """The split, for the protocol."""


def _understands(path: Path) -> bool:
    if path.is_file() and ARCHIVE.fullmatch(path.name):
        return True
    return bool(_splits(path)) if path.is_dir() else _is_batch(path)


def _splits(folder: Path) -> dict[str, tuple[str, ...]]:
    """The names of the files of every split of a folder; a part of the training images counts as them."""
    found = {}
    for split, versions in FILES.items():
        present = [names for names in versions if any(_is_batch(folder / name) for name in names)]
        if present:
            found[split] = present[0]
    return found


def _is_batch(file: Path) -> bool:
    """Whether a file is one of CIFAR's by its name; of a common name, by what is in it or beside it, too."""
    if not (BATCH.fullmatch(file.name) and file.is_file()):
        return False
    if not _COMMON.fullmatch(file.name) or any((file.parent / name).is_file() for name in CLASS_NAMES):
        return True
    if file.suffix:
        size = file.stat().st_size
        return size > 0 and any(size % record == 0 for record in LABEL_BYTES)
    with file.open("rb") as opened:
        return opened.read(1) == PICKLE


def _open(path: Path, split: str) -> LabelledImages:
    """Read the images of a published file, or those of a split of a folder or an archive.

    Raises:
        DataError: The file holds anything but images and labels of CIFAR, or the split is not there.
    """
    if ARCHIVE.fullmatch(path.name):
        return _open_archive(path, split)
    place = _place(path, split)
    for file in place.files:
        refuse_placeholder(file)
    beside = {name: place.files[0].parent / name for name in CLASS_NAMES}
    named = {name: read_bytes(file) for name, file in beside.items() if file.exists()}
    batches = {file.name: read_bytes(file, limit=_MAX_BYTES) for file in place.files}
    origin = path if len(place.files) > 1 else place.files[0]
    return _labelled(origin, batches, named, place.split, "\n".join(map(file_stamp, place.files)))


def _place(path: Path, split: str) -> _Place:
    if path.is_file():
        named_split(split, path.name, str(path))
        return _Place([path], "local files")
    available = _splits(path)
    files = [path / name for names in available.values() for name in names]
    picked = pick_split(split, available, str(path), f"Pass one of its files, such as {files[0]}.")
    present = {file.name: file for file in files if file.is_file()}
    return _Place(list(_all_of(available[picked], present, path).values()), picked)


def _open_archive(archive: Path, split: str) -> LabelledImages:
    refuse_placeholder(archive)
    wanted = "train" if split == "train" else "test"
    names = [name for version in FILES[wanted] for name in version]
    found, present = _unpacked(archive, names)
    available = {each: version for each, versions in FILES.items() for version in versions if present & {*version}}
    if not available:
        raise DataError(f"{archive} holds none of {', '.join(names)}.", "Download the archive again.")
    picked = pick_split(split, available, str(archive), "Unpack it, and pass one of its files.")
    return _labelled(archive, _all_of(available[picked], found, archive), found, picked, file_stamp(archive))


def _all_of(names: Iterable[str], present: Mapping[str, _Content], origin: Path) -> dict[str, _Content]:
    """Return the files of a split, of which none may lack."""
    if missing := [name for name in names if name not in present]:
        raise DataError(f"{origin} lacks {', '.join(missing)}, a part of its images.", "Download it again.")
    return {name: present[name] for name in names}


def _unpacked(archive: Path, wanted: Sequence[str]) -> tuple[dict[str, bytes], set[str]]:
    """Return the content of the wanted files and of those with class names, and the names of all files."""
    found: dict[str, bytes] = {}
    names: set[str] = set()
    for file in files_of_tar(archive, (*wanted, *CLASS_NAMES)):
        name = Path(file.name).name
        names.add(name)
        if file.content is not None and (name in wanted or name in CLASS_NAMES):
            if name in found:
                raise DataError(f"{archive} holds {name} twice.", "Unpack it, and pass the folder of one set.")
            found[name] = file.content
    return found, names


def _labelled(
    origin: Path, batches: Mapping[str, bytes], named: Mapping[str, bytes], split: str, stamp: str
) -> LabelledImages:
    """Return the images of batches, with the names of their classes where these are beside them."""
    read = [
        _binary(origin, content) if name.endswith(".bin") else _pickled(origin, content)
        for name, content in batches.items()
    ]
    numbers, is_cifar100 = [label for batch in read for label in batch.labels], read[0].is_cifar100
    names = _class_names(named, is_cifar100)
    if names and max(numbers, default=0) >= len(names):
        raise DataError(
            f"{origin} has label {max(numbers)}, and the file beside it names {len(names)} classes.",
            "Keep the files of CIFAR-10 and CIFAR-100 in folders of their own.",
        )
    pixels = read[0].pixels if len(read) == 1 else np.concatenate([batch.pixels for batch in read])
    images = pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return LabelledImages(
        origin=str(origin),
        ids=[f"{row:08d}" for row in range(len(images))],
        labels=[names[number] for number in numbers] if names else numbers,
        read=lambda position: np.ascontiguousarray(images[position]),
        stamp=stamp + "".join(f"\n{name}" for name in names),
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
            return names_in(content, key) if key else tuple(as_text(content, name).split())
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
    if not (isinstance(data, PickledArray) and isinstance(labels, list) and all(type(each) is int for each in labels)):
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
    understands=_understands,
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
