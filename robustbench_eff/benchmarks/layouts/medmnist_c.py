"""The layout of MedMNIST-C: one archive for each corruption, with all images at severity 1, then at 2, up to 5."""

from __future__ import annotations

import math
import zipfile
from functools import lru_cache, partial
from pathlib import Path
from threading import Lock

import numpy as np
import numpy.typing as npt

from robustbench_eff.core.errors import DataError

from ..labelled_images import LabelledImages, file_stamp
from ..layout import Layout
from ..reader import DocumentedLayout
from ..readers.npy_headers import check_member, read_header
from ..readers.placeholder import refuse_placeholder
from .published import SEVERITIES

IMAGES, LABELS = "test_images", "test_labels"
"""Names of the arrays of an archive."""


def medmnist_c(dataset: str) -> Layout:
    """Return the layout of one data set, DATASET/CORRUPTION.npz or CORRUPTION.npz.

    Args:
        dataset: Name of the data set, such as `bloodmnist`.
    """
    return Layout(partial(_archive, dataset), _open_archive, "corruption", dataset, layouts=(DOCUMENTED,))


DOCUMENTED = DocumentedLayout(
    files=f"`DATASET/CORRUPTION.npz` with `{IMAGES}` and `{LABELS}`: MedMNIST-C",
    labels=f"`{LABELS}`",
    class_order="numbers of the labels",
)


def _archive(dataset: str, root: Path, name: str, level: int) -> Path:
    del level  # an archive holds all severities
    folder = root / dataset
    return (folder if folder.is_dir() else root) / f"{name}.npz"


def _open_archive(path: Path, level: int) -> LabelledImages:
    refuse_placeholder(path)
    with np.load(path, allow_pickle=False) as archive:
        if missing := [name for name in (IMAGES, LABELS) if name not in archive]:
            raise DataError(f"{path} needs arrays named {IMAGES} and {LABELS}; {' and '.join(missing)} is missing.")
        assert archive.zip is not None, "np.load opened the archive"
        check_member(archive.zip, LABELS, str(path))
        labels = archive[LABELS]
        count = _shape(path, archive.zip)[0] // SEVERITIES
    stamp = file_stamp(path)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape != (count * SEVERITIES,):
        raise DataError(
            f"{path} has labels of shape {labels.shape}, and {count} images at each of {SEVERITIES} severities need "
            "one label each.",
            "Images with several labels, as of ChestMNIST, cannot be evaluated.",
        )
    if not np.array_equal(labels, np.tile(labels[:count], SEVERITIES)):
        raise DataError(f"{path} does not hold five severities of the same images one after the other.")
    return LabelledImages(
        origin=str(path),
        ids=[f"{row:08d}" for row in range(count)],
        labels=labels[:count].tolist(),
        read=lambda position: _rgb(_last_severity(path, level, stamp)[position]),
        stamp=f"{stamp}\n{level}",
    )


def _last_severity(path: Path, level: int, stamp: str) -> npt.NDArray[np.uint8]:
    """Return the images of one severity, which are kept until those of another are asked for: all would fill memory."""
    with _LOCK:
        return _severity(path, level, stamp)


_LOCK = Lock()
"""Held while an archive is unpacked, so that threads do not unpack the same one."""


@lru_cache(maxsize=1)
def _severity(path: Path, level: int, stamp: str) -> npt.NDArray[np.uint8]:
    """Return the images of one severity, uint8 (N, H, W) or (N, H, W, 3)."""
    del stamp  # changes with the file
    stored = f"{IMAGES}.npy"
    with zipfile.ZipFile(path) as archive, archive.open(stored) as member:
        shape = _shape(path, archive)
        read_header(member, str(path), archive.getinfo(stored).file_size)
        count, size = shape[0] // SEVERITIES, math.prod(shape[1:])
        member.seek(count * size * (level - 1), 1)
        return np.frombuffer(member.read(count * size), np.uint8).reshape(count, *shape[1:])


def _shape(path: Path, archive: zipfile.ZipFile) -> tuple[int, ...]:
    """Return the shape of the images."""
    shape, is_fortran_ordered, dtype = check_member(archive, IMAGES, str(path))
    is_image = len(shape) == 3 or (len(shape) == 4 and shape[3] == 3)
    if dtype != np.uint8 or is_fortran_ordered or not is_image or shape[0] % SEVERITIES:
        raise DataError(f"{path}: {IMAGES} are {dtype} {shape}, not five severities of 8-bit images in row order.")
    return tuple(shape)


def _rgb(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else np.ascontiguousarray(pixels)
