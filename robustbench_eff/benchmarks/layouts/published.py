"""Layouts of the sets that their authors corrupted and published as files."""

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
"""Suffixes of videos."""
SEVERITIES = 5
"""Number of severities in an array."""


def frames_of(content: bytes | npt.NDArray[np.uint8], name: str) -> npt.NDArray[np.uint8]:
    """Return every frame of a sequence, uint8 (frames, H, W, 3).

    Args:
        content: The bytes of an MP4 video; or the frames, which are returned unchanged.
        name: Name of the sequence for messages.

    Raises:
        MissingExtra: PyAV, which decodes videos, is not installed.
        DataError: The video cannot be decoded.
    """
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


def _severity_folder(root: Path, name: str, level: int) -> Path:
    return root / name / str(level)


def _array_file(root: Path, name: str, level: int) -> Path:
    del level  # an array holds all severities
    return root / f"{name}.npy"


def _difficulty_path(root: Path, name: str, level: int, suffix: str = "") -> Path:
    stem = name.removesuffix("_sequence") + ("" if level == 1 else f"_{level}")
    return root / f"{stem}{suffix}"


def _open_images(folder: Path, level: int) -> LabelledImages:
    del level
    return open_class_folders(folder)


def _open_videos(folder: Path, level: int) -> LabelledImages:
    del level
    return open_class_folders(folder, VIDEOS)


def _open_array(path: Path, level: int, *, sequences: bool) -> LabelledImages:
    """Open an array of sequences (N, F, H, W, 3), or the images of one severity of an array (5 N, H, W, 3)."""
    labels_file = path.with_name("labels.npy")
    if not labels_file.exists():
        order = f"Save the labels of the test set, in its order, as {labels_file}"
        raise DataError(f"{path} needs labels in the same folder.", order + ("." if sequences else ", five times."))
    arrays, labels = np.load(path, mmap_mode="r"), np.load(labels_file)
    if arrays.dtype != np.uint8 or arrays.ndim != (5 if sequences else 4) or arrays.shape[-1] != 3:
        raise DataError(
            f"{path} holds {arrays.dtype} {arrays.shape}, not 8-bit {'sequences' if sequences else 'images'}."
        )
    if labels.shape != (len(arrays),):
        raise DataError(f"{labels_file} has labels of shape {labels.shape}, {path} needs ({len(arrays)},).")
    count = len(arrays) if sequences else len(arrays) // SEVERITIES
    if not sequences and not np.array_equal(labels, np.tile(labels[:count], SEVERITIES)):
        raise DataError(f"{path} does not hold five severities of the same images one after the other.")
    start = 0 if sequences else count * (level - 1)
    return LabelledImages(
        origin=str(path),
        ids=[f"{row:08d}" for row in range(count)],
        labels=labels[start : start + count].tolist(),
        read=lambda position: np.asarray(arrays[start + position]),
        stamp=f"{file_stamp(path)}\n{file_stamp(labels_file)}\n{level}",
    )


IMAGE_FOLDERS = Layout(_severity_folder, _open_images, "corruption", "imagenet")
"""CORRUPTION/SEVERITY/wnid/image.JPEG: ImageNet-C."""


ARRAYS = Layout(_array_file, partial(_open_array, sequences=False), "corruption", "cifar10")
"""CORRUPTION.npy and labels.npy, both with all images at severity 1, then at severity 2, up to 5: CIFAR-10-C."""


VIDEO_FOLDERS = Layout(_difficulty_path, _open_videos, "sequence", "imagenet", reader="av")
"""SEQUENCE/wnid/video.mp4, and SEQUENCE_2 for difficulty 2: ImageNet-P."""


VIDEO_ARRAYS = Layout(
    partial(_difficulty_path, suffix=".npy"), partial(_open_array, sequences=True), "sequence", "cifar10"
)
"""SEQUENCE.npy and labels.npy: CIFAR-10-P."""
