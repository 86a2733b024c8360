"""Layouts of the sets that their authors corrupted and published as files."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from robustbench_eff.core.errors import DataError, MissingExtra

from ..labelled_images import LabelledImages, file_stamp
from ..layout import Layout
from ..reader import DocumentedLayout
from ..readers.class_folders import open_class_folders
from ..readers.npy_headers import open_array

MAX_VIDEO_BYTES = 2**30
"""Bytes of all frames of a video; those of ImageNet-P have 5 MB."""
VIDEOS = frozenset({".mp4"})
"""Suffixes of videos."""
SEVERITIES = 5
"""Number of severities of a corruption."""
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")


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
        with av.open(io.BytesIO(content), "r", format="mp4") as video:  # other formats may name files and addresses
            frames, left = list[npt.NDArray[Any]](), MAX_VIDEO_BYTES
            for frame in video.decode(video=0):
                frames.append(frame.to_ndarray(format="rgb24"))
                left -= frames[-1].nbytes
                if left < 0:
                    raise DataError(f"{name} decodes to more than {MAX_VIDEO_BYTES:,} bytes.", "Leave it out.")
        return np.stack(frames)
    except (av.error.FFmpegError, ValueError, IndexError) as error:
        raise DataError(f"{name} cannot be decoded: {error}", "Replace the file, or leave it out.") from error


def _severity_folder(root: Path, name: str, level: int) -> Path:
    """Return the folder of a severity: of five whose names are numbers in their order, else the one with its number."""
    folder = _found(root, name)
    if (folder / name).is_dir():
        folder = folder / name  # an archive that was unpacked into a folder of its own
    numbered = folder / str(level)
    if not folder.is_dir():
        return numbered
    by_value = sorted((path for path in folder.iterdir() if _NUMBER.fullmatch(path.name) and path.is_dir()), key=_value)
    return by_value[level - 1] if len(by_value) == SEVERITIES else numbered


def _value(path: Path) -> float:
    return float(path.name)


def _array_file(root: Path, name: str, level: int) -> Path:
    del level  # an array holds all severities
    return _found(root, f"{name}.npy")


def _found(root: Path, name: str) -> Path:
    """Return the file or folder of that name, which may lie in folders such as `ImageNet-C/noise`."""
    if (root / name).exists():
        return root / name
    inside = sorted(root.glob(f"*/{name}")) or sorted(root.glob(f"*/*/{name}"))
    if len(inside) > 1:
        raise DataError(f"{root} holds {name} twice: {inside[0]} and {inside[1]}.", "Pass the folder of one set.")
    return inside[0] if inside else root / name


def _difficulty_path(root: Path, name: str, level: int, suffix: str = "") -> Path:
    stem = name.removesuffix("_sequence") + ("" if level == 1 else f"_{level}")
    return _found(root, f"{stem}{suffix}")


def _open_images(folder: Path, level: int) -> LabelledImages:
    del level
    return open_class_folders(folder)


def _open_videos(folder: Path, level: int) -> LabelledImages:
    del level
    return open_class_folders(folder, VIDEOS)


def _open_array(path: Path, level: int, *, sequences: bool) -> LabelledImages:
    """Open an array of sequences (N, F, H, W, 3), or the images of one severity of an array (5 N, H, W, 3)."""
    arrays = open_array(path)
    if arrays.dtype != np.uint8 or arrays.ndim != (5 if sequences else 4) or arrays.shape[-1] != 3:
        raise DataError(
            f"{path} holds {arrays.dtype} {arrays.shape}, not 8-bit {'sequences' if sequences else 'images'}."
        )
    repeats = 1 if sequences else SEVERITIES
    if len(arrays) % repeats:
        raise DataError(f"{path} holds {len(arrays)} images, which are not five severities of the same images.")
    count = len(arrays) // repeats
    start = 0 if sequences else count * (level - 1)
    labels_file = path.with_name("labels.npy")
    stamps = [file_stamp(path), *([file_stamp(labels_file)] if labels_file.exists() else []), str(level)]
    return LabelledImages(
        origin=str(path),
        ids=[f"{row:08d}" for row in range(count)],
        labels=_labels(labels_file, path, count, repeats) if labels_file.exists() else [],
        read=lambda position: np.asarray(arrays[start + position]),
        stamp="\n".join(stamps),
    )


def _labels(file: Path, path: Path, count: int, repeats: int) -> list[Any]:
    """Return the labels of one severity from a file that has them once, or once for each severity."""
    labels = open_array(file)
    if labels.shape == (count,):
        return list(labels.tolist())
    if labels.shape != (count * repeats,):
        needed = f"({count},)" if repeats == 1 else f"({count},) or ({count * repeats},)"
        raise DataError(f"{file} has labels of shape {labels.shape}, {path} needs {needed}.")
    if not np.array_equal(labels, np.tile(labels[:count], repeats)):
        raise DataError(f"{path} does not hold five severities of the same images one after the other.")
    return list(labels[:count].tolist())


IMAGE_FOLDERS = Layout(
    _severity_folder,
    _open_images,
    "corruption",
    "imagenet",
    layouts=(
        DocumentedLayout(
            files="`CORRUPTION/SEVERITY/WNID/image.JPEG`, also below folders such as `noise`: ImageNet-C, "
            "ImageNet-C-bar, ImageNet-3DCC, Tiny-ImageNet-C",
            labels="the folder",
            class_order="sorted WordNet ids",
        ),
        DocumentedLayout(
            files="five severities by other numbers, as `sparkles/1.00` to `sparkles/6.00` of ImageNet-C-bar: the "
            "first to the fifth in ascending order",
            labels="the folder",
            class_order="sorted WordNet ids",
        ),
    ),
)
"""CORRUPTION/SEVERITY/wnid/image.JPEG: ImageNet-C."""


TINY_FOLDERS = replace(IMAGE_FOLDERS, constants="tiny_imagenet", layouts=())
"""The same of Tiny-ImageNet-C."""


FOLDERS_3DCC = replace(IMAGE_FOLDERS, constants="imagenet_3dcc", layouts=())
"""The same of ImageNet-3DCC."""


ARRAYS = Layout(
    _array_file,
    partial(_open_array, sequences=False),
    "corruption",
    "cifar10",
    layouts=(
        DocumentedLayout(
            files="`CORRUPTION.npy` with all images at severity 1, then at severity 2, up to 5: CIFAR-10-C, "
            "CIFAR-100-C, CIFAR-10-C-bar",
            labels="`labels.npy`, once or five times; without it the test set named with `--data`, in its own order",
            class_order="numbers of the labels",
        ),
    ),
)
"""CORRUPTION.npy and labels.npy, both with all images at severity 1, then at severity 2, up to 5: CIFAR-10-C."""


VIDEO_FOLDERS = Layout(
    _difficulty_path,
    _open_videos,
    "sequence",
    "imagenet",
    reader="av",
    layouts=(
        DocumentedLayout(
            files="`SEQUENCE/WNID/video.mp4`, and `SEQUENCE_2` for difficulty 2: ImageNet-P",
            labels="the folder",
            class_order="sorted WordNet ids",
        ),
    ),
)
"""SEQUENCE/wnid/video.mp4, and SEQUENCE_2 for difficulty 2: ImageNet-P."""


VIDEO_ARRAYS = Layout(
    partial(_difficulty_path, suffix=".npy"),
    partial(_open_array, sequences=True),
    "sequence",
    "cifar10",
    layouts=(
        DocumentedLayout(
            files="`SEQUENCE.npy`, frames of every test image: CIFAR-10-P",
            labels="`labels.npy`, or the test set named with `--data`, in its own order",
            class_order="numbers of the labels",
        ),
    ),
)
"""SEQUENCE.npy and labels.npy: CIFAR-10-P."""
