"""Reader of a NumPy archive with an array of images and one of labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from robustbench_eff.core.errors import DataError

from ..labelled_images import LabelledImages, file_stamp
from ..reader import Reader

IMAGE_KEYS = ("x", "images", "image", "data", "x_test")
"""Names of the array of images, in order of preference."""
LABEL_KEYS = ("y", "labels", "label", "targets", "y_test")
"""Names of the array of labels, in order of preference."""


def open_npz(path: Path) -> LabelledImages:
    """Read the images and labels of an archive.

    Images are uint8 or float in [0, 1], of shape (N, H, W, 3), (N, H, W) or (N, 3, H, W); labels are of shape (N,).

    Args:
        path: The archive.

    Raises:
        DataError: An array is missing or has another shape, values lie outside [0, 1], or floats are not multiples of
            1/255: they would be rounded silently.
    """
    with np.load(path, allow_pickle=False) as archive:
        images = _entry(path, archive, IMAGE_KEYS)
        labels = _entry(path, archive, LABEL_KEYS)
    pixels = _as_bytes(path, images)
    if labels.ndim != 1 or len(labels) != len(pixels):
        raise DataError(f"{path}: {len(pixels)} images need as many labels, got shape {labels.shape}.")
    return LabelledImages(
        origin=str(path),
        ids=[f"{row:08d}" for row in range(len(pixels))],
        labels=labels.tolist(),
        read=lambda position: pixels[position],
        stamp=file_stamp(path),
    )


def _entry(path: Path, archive: np.lib.npyio.NpzFile, keys: tuple[str, ...]) -> npt.NDArray[np.generic]:
    for key in keys:
        if key in archive:
            return np.asarray(archive[key])
    raise DataError(f"{path} needs an array named {' or '.join(keys)}; it has {', '.join(archive.files)}.")


def _as_bytes(path: Path, images: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """Return the images as uint8 (N, H, W, 3)."""
    if images.ndim == 3:
        images = np.repeat(images[..., None], 3, axis=3)
    if images.ndim == 4 and images.shape[1] == 3 and images.shape[3] != 3:
        images = images.transpose(0, 2, 3, 1)
    if images.ndim != 4 or images.shape[3] != 3:
        raise DataError(f"{path}: images must have shape (N, H, W, 3) or (N, 3, H, W), got {images.shape}.")
    if images.dtype == np.uint8:
        return np.ascontiguousarray(images)
    if images.dtype.kind != "f":
        raise DataError(f"{path}: images must be uint8 or float in [0, 1], got {images.dtype}.")
    values = images.astype(np.float64)
    if not values.size:
        raise DataError(f"{path} holds no images.")
    if not (values.min() >= 0 and values.max() <= 1):
        raise DataError(
            f"{path}: images outside [0, 1]: values from {values.min():.3g} to {values.max():.3g}.",
            "Store unnormalised pixels, as uint8 or as float in [0, 1].",
        )
    if np.abs(values * 255 - np.round(values * 255)).max() > 1e-3:
        raise DataError(f"{path}: float images must hold 8-bit values (k/255).", "Store them as uint8.")
    return np.round(values * 255).astype(np.uint8)


NPZ = Reader(understands=lambda path: path.suffix == ".npz", open=lambda path, _: open_npz(path))
