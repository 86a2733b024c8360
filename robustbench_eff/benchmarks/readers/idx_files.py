"""Reader of the IDX files of MNIST and of sets in its format: Fashion-MNIST, Kuzushiji-MNIST and EMNIST.

EMNIST's files hold transposed images; they stay transposed, as in torchvision.

Source: "THE IDX FILE FORMAT", http://yann.lecun.com/exdb/mnist; names of the files as in
torchvision.datasets.mnist.
"""

from __future__ import annotations

import math
import re
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from robustbench_eff.core.errors import DataError, reason
from robustbench_eff.core.outside_archives import largest_unpacked, unpacking_stream
from robustbench_eff.core.outside_files import check_file

from ..labelled_images import LabelledImages, file_stamp
from ..reader import DocumentedLayout, Reader
from .arrays import labelled_arrays
from .placeholder import refuse_placeholder
from .splits import named_split, pick_split, split_named

_IMAGES = re.compile(r"(?P<set>.+)[-_]images[-.]idx3-ubyte(\.gz)?")
"""Names of files with images, such as `t10k-images-idx3-ubyte.gz`; the Kaggle copies have a dot."""
_FOLDERS = ("", "raw", "gzip")
"""Where the files lie below the folder of a set, in order of preference."""
_DIMENSIONS = 4
"""Most dimensions of an array of images or labels."""
_BYTES = b"\0\0\x08"
"""First bytes of an array of unsigned bytes."""


def _files(path: Path) -> dict[str, Path]:
    """The files with images, by what their names say before `images`; unpacked ones are preferred."""
    if not path.is_dir():
        match = _IMAGES.fullmatch(path.name)
        return {match["set"]: path} if match and path.is_file() else {}
    for folder in _FOLDERS:
        found = {}
        for file in sorted((path / folder).glob("*images?idx3-ubyte*"), reverse=True):
            if (match := _IMAGES.fullmatch(file.name)) and file.is_file():
                found[match["set"]] = file
        if found:
            return found
    return {}


def _open(path: Path, split: str) -> LabelledImages:
    files = _files(path)
    if path.is_file():
        picked = named_split(split, path.name, str(path))
    else:
        choose = f"Pass the file of one, such as {next(iter(files.values()))}."
        picked = pick_split(split, map(split_named, files), str(path), choose)
    matching = [file for name, file in sorted(files.items()) if split_named(name) == picked]
    if len(matching) > 1:
        names = ", ".join(file.name for file in matching)
        raise DataError(f"{path} holds several sets: {names}.", f"Pass the file of one, such as {matching[0]}.")
    images = matching[0]
    labels = _labels_beside(images)
    return labelled_arrays(
        str(images),
        _array(images),
        _array(labels),
        stamp=f"{file_stamp(images)}\n{file_stamp(labels)}",
        split=picked or "local files",
    )


def _labels_beside(images: Path) -> Path:
    """Return the file with the labels of some images."""
    stem = images.name.removesuffix(".gz").replace("images", "labels").replace("idx3", "idx1")
    for name in (stem, f"{stem}.gz"):
        if (images.parent / name).is_file():
            return images.parent / name
    raise DataError(f"{images} needs its labels, {stem} or {stem}.gz, in the same folder.", "Download them, too.")


def _array(path: Path) -> npt.NDArray[np.uint8]:
    """Read an array: two zero bytes, the type, the number of dimensions, their sizes (big endian), and the values."""
    check_file(path)
    refuse_placeholder(path)
    try:
        with unpacking_stream(path) as file:
            start = file.read(4)
            dimensions = start[3] if start[:3] == _BYTES and len(start) == 4 else 0
            shape = tuple(np.frombuffer(file.read(4 * dimensions), ">u4").tolist())
            declared = math.prod(shape)
            if 0 < dimensions <= _DIMENSIONS and len(shape) == dimensions:
                _check_size(path, declared)
                content = file.read(declared + 1)
                if len(content) == declared:
                    return np.frombuffer(content, np.uint8).reshape(shape)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise DataError(f"{path} cannot be unpacked: {reason(error)}.", "Download it again.") from error
    raise DataError(f"{path} is not a complete IDX file of bytes.", "Download it again.")


def _check_size(path: Path, declared: int) -> None:
    if declared > largest_unpacked(path.stat().st_size):
        raise DataError(f"{path} declares {declared // 2**20:,} MiB, too much for its size.", "Download it again.")


IDX_FILES = Reader(
    understands=lambda path: bool(_files(path)),
    open=_open,
    layouts=(
        DocumentedLayout(
            files="MNIST, Fashion-MNIST, KMNIST, EMNIST: `t10k-images-idx3-ubyte` and `t10k-labels-idx1-ubyte`, "
            "also `.gz`, in the folder or in its `raw`",
            labels="the file of labels",
            class_order="numbers of the labels",
        ),
    ),
)
