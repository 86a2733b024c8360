"""Arrays of images and labels: their shapes and values are checked, and images become 8-bit RGB."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from robustbench_eff.core.errors import DataError

from ..labelled_images import LabelledImages
from .splits import pick_split, split_named, words_of

IMAGE_WORDS = ("x", "images", "image", "data", "imgs")
"""Words for images in the name of an array, in order of preference."""
LABEL_WORDS = ("y", "labels", "label", "targets", "target")
"""Words for labels in the name of an array, in order of preference."""


_AT_ONCE = 256
"""Images that are rounded at a time: a copy of all as 64-bit floats might not fit into memory."""


class Pair(NamedTuple):
    """The names of two arrays that belong together."""

    images: str
    """Name of the array of images."""
    labels: str
    """Name of the array of labels."""
    split: str
    """The split that the names state; empty where they state none."""


def find_pairs(names: Iterable[str]) -> dict[str, Pair]:
    """Return the arrays that belong together, by what their names have in common, such as `test` of x_test and y_test.

    Args:
        names: Names of all arrays.
    """
    images, labels = _by_rest(names, IMAGE_WORDS), _by_rest(names, LABEL_WORDS)
    pairs = {rest: Pair(images[rest], labels[rest], split_named(rest)) for rest in images if rest in labels}
    if not pairs and len(images) == len(labels) == 1:
        (rest, image), (label_rest, label) = *images.items(), *labels.items()
        if not rest or not label_rest:
            return {rest or label_rest: Pair(image, label, split_named(rest or label_rest))}
    return pairs


def pick_pair(pairs: dict[str, Pair], split: str, origin: str, hint: str) -> Pair:
    """Return the pair of the split to open, by the policy of `splits.pick_split`.

    Args:
        pairs: The result of `find_pairs`, not empty.
        split: The wanted split.
        origin: File or folder that holds the arrays.
        hint: What to do if several pairs fit, or none.

    Raises:
        DataError: Several pairs are of the same split, or none is of the split to open.
    """
    picked = pick_split(split, (pair.split for pair in pairs.values()), origin, hint)
    matching = [pair for pair in pairs.values() if pair.split == picked]
    if len(matching) > 1:
        names = ", ".join(f"{pair.images} with {pair.labels}" for pair in matching)
        raise DataError(f"{origin} holds several sets of images: {names}.", hint)
    return matching[0]


def _by_rest(names: Iterable[str], words: tuple[str, ...]) -> dict[str, str]:
    """The names with exactly one of these words, by their other words; of several names the preferred one."""
    found: dict[str, tuple[int, str]] = {}
    for name in names:
        parts = words_of(name)
        hits = [part for part in parts if part in words]
        if len(hits) == 1:
            rest = " ".join(part for part in parts if part != hits[0])
            found[rest] = min(found.get(rest, (len(words), "")), (words.index(hits[0]), name))
    return {rest: name for rest, (_, name) in found.items()}


def labelled_arrays(
    origin: str,
    images: npt.NDArray[np.generic],
    labels: npt.NDArray[np.generic],
    *,
    stamp: str,
    split: str = "local files",
) -> LabelledImages:
    """Return arrays as labelled images.

    Images are uint8, or floats that hold 8-bit values in [0, 1] or 0 to 255, of shape (N, H, W), (N, H, W, 1 or 3) or
    (N, 1 or 3, H, W); labels are of shape (N,) or (N, 1), or one-hot of shape (N, classes).

    Args:
        origin: Where the arrays come from, for messages.
        images: The images.
        labels: Their labels.
        stamp: The stamp of `LabelledImages`.
        split: The split of `LabelledImages`.

    Raises:
        DataError: An array has another shape, or images are not 8-bit values: they would be rounded silently.
    """
    shaped = _as_rgb(origin, images)
    if not shaped.size:
        what = "images without pixels" if len(shaped) else "no images"
        raise DataError(f"{origin} holds {what}: its array has the shape {images.shape}.")
    pixels = _as_bytes(origin, shaped)
    return LabelledImages(
        origin=origin,
        ids=[f"{row:08d}" for row in range(len(pixels))],
        labels=_one_per_image(origin, labels, len(pixels)),
        read=lambda position: np.ascontiguousarray(pixels[position]),
        stamp=stamp,
        split=split,
        class_order="positions in one-hot labels" if labels.ndim == 2 and labels.shape[1] > 1 else "",
    )


def _one_per_image(origin: str, labels: npt.NDArray[np.generic], count: int) -> list[object]:
    """Return one label for each image."""
    if labels.shape in ((count,), (count, 1)):
        listed: list[object] = labels.reshape(count).tolist()
        return listed
    if labels.ndim != 2 or len(labels) != count:
        raise DataError(f"{origin}: {count} images need as many labels, got shape {labels.shape}.")
    is_one_hot = labels.dtype.kind in "bufi" and bool(
        np.isin(labels, (0, 1)).all() and (np.sum(labels == 1, axis=1) == 1).all()
    )
    if not is_one_hot:
        raise DataError(
            f"{origin}: labels of shape {labels.shape} do not give every image one class.",
            "Store one class index per image. A set whose images have several labels has no accuracy.",
        )
    positions: list[object] = labels.argmax(axis=1).tolist()
    return positions


def _as_rgb(origin: str, images: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """Return the images as (N, H, W, 3), without a copy."""
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim == 4 and images.shape[3] not in (1, 3) and images.shape[1] in (1, 3):
        images = images.transpose(0, 2, 3, 1)
    if images.ndim == 4 and images.shape[3] == 3:
        return images
    if images.ndim == 4 and images.shape[3] == 1:
        return np.broadcast_to(images, (*images.shape[:3], 3))
    if images.ndim == 5 or (images.ndim == 4 and images.shape[3] > 4):
        raise DataError(f"{origin} holds volumes of shape {images.shape[1:]}, not images.")
    raise DataError(f"{origin}: images must have shape (N, H, W, 3) or (N, 3, H, W), got {images.shape}.")


def _as_bytes(origin: str, images: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """Return the images as uint8."""
    if images.dtype == np.uint8:
        return images.view(np.uint8)
    if images.dtype.kind != "f":
        raise DataError(
            f"{origin}: images must be uint8 or float, got {images.dtype}.", "Store pixels as uint8 from 0 to 255."
        )
    low, high = float(images.min()), float(images.max())
    if np.isnan(low):
        raise DataError(f"{origin} holds pixels that are NaN.", "Store pixels as uint8 from 0 to 255.")
    if not (low >= 0 and high <= 255):
        raise DataError(
            f"{origin}: images outside [0, 1]: values from {low:.3g} to {high:.3g}.",
            "Store unnormalised pixels, as uint8 or as float in [0, 1].",
        )
    pixels = np.empty(images.shape, np.uint8)
    for start in range(0, len(images), _AT_ONCE):
        values = images[start : start + _AT_ONCE].astype(np.float64) * (255 if high <= 1 else 1)
        rounded = np.round(values)
        if np.abs(values - rounded).max() > 1e-3:
            raise DataError(
                f"{origin}: float images must hold 8-bit values (k/255, or 0 to 255).", "Store them as uint8."
            )
        pixels[start : start + _AT_ONCE] = rounded
    return pixels
