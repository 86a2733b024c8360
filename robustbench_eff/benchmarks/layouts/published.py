"""How sets that their authors corrupted and published as files lie on disk."""

from __future__ import annotations

import io
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from robustbench_eff.core.errors import DataError, MissingExtra

from ..labelled_images import LabelledImages, file_stamp
from ..layout import Layout
from ..readers.class_folders import open_class_folders

VIDEOS = frozenset({".mp4"})


SEVERITIES = 5


def _folder(root: Path, name: str, level: int) -> Path:
    return root / name / str(level)


def _array(root: Path, name: str, level: int) -> Path:
    del level  # an array holds all
    return root / f"{name}.npy"


def _difficulty(root: Path, name: str, level: int, suffix: str = "") -> Path:
    stem = name.removesuffix("_sequence") + ("" if level == 1 else f"_{level}")
    return root / f"{stem}{suffix}"


def _images(place: Path, level: int) -> LabelledImages:
    del level
    return open_class_folders(place)


def _rows(place: Path, level: int, *, whole: bool) -> LabelledImages:
    """The images (N, H, W, 3) or sequences (N, F, H, W, 3) of an array; of images, those of one of five severities."""
    labels_file = place.with_name("labels.npy")
    if not labels_file.exists():
        hint = f"Save the labels of the test set, in its order, as {labels_file}" + ("." if whole else ", five times.")
        raise DataError(f"{place} needs the labels beside it.", hint)
    arrays, labels = np.load(place, mmap_mode="r"), np.load(labels_file)
    if arrays.dtype != np.uint8 or arrays.ndim != (5 if whole else 4) or arrays.shape[-1] != 3:
        raise DataError(
            f"{place} holds {arrays.dtype} {arrays.shape}, no {'sequences' if whole else 'images'} in 8 bits."
        )
    if labels.shape != (len(arrays),):
        raise DataError(f"{labels_file} has labels of shape {labels.shape}, {place} needs ({len(arrays)},).")
    count = len(arrays) if whole else len(arrays) // SEVERITIES
    if not whole and not np.array_equal(labels, np.tile(labels[:count], SEVERITIES)):
        raise DataError(f"{place} does not hold five severities of the same images one after the other.")
    start = 0 if whole else count * (level - 1)
    return LabelledImages(
        origin=str(place),
        ids=[f"{row:08d}" for row in range(count)],
        labels=labels[start : start + count].tolist(),
        read=lambda position: np.asarray(arrays[start + position]),
        stamp=f"{file_stamp(place)}\n{file_stamp(labels_file)}\n{level}",
    )


def _videos(place: Path, level: int) -> LabelledImages:
    del level
    return open_class_folders(place, VIDEOS)


def frames_of(content: bytes | npt.NDArray[np.uint8], name: str) -> npt.NDArray[np.uint8]:
    """Every frame of an MP4 video, uint8 (frames, H, W, 3), or the frames as they are; DataError with `name`."""
    if isinstance(content, np.ndarray):
        return content
    try:
        import av
    except ImportError as error:
        raise MissingExtra("PyAV, which reads videos,", "video") from error
    try:
        with av.open(io.BytesIO(content), "r") as video:
            frames: list[npt.NDArray[Any]] = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
        return np.stack(frames)
    except (av.error.FFmpegError, ValueError, IndexError) as error:
        raise DataError(f"{name} cannot be decoded: {error}", "Replace the file, or leave it out.") from error


IMAGE_FOLDERS = Layout(_folder, _images, "corruption", "imagenet")
"""CORRUPTION/SEVERITY/wnid/image.JPEG: ImageNet-C."""


ARRAYS = Layout(_array, partial(_rows, whole=False), "corruption", "cifar10")
"""CORRUPTION.npy with five times as many images as labels.npy names at a severity: CIFAR-10-C."""


VIDEO_FOLDERS = Layout(_difficulty, _videos, "sequence", "imagenet", reader="av")
"""SEQUENCE/wnid/video.mp4, and SEQUENCE_2 for difficulty 2: ImageNet-P."""


VIDEO_ARRAYS = Layout(partial(_difficulty, suffix=".npy"), partial(_rows, whole=True), "sequence", "cifar10")
"""SEQUENCE.npy and labels.npy: CIFAR-10-P."""
