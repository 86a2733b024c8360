"""MATLAB files with images and labels, as SVHN's."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.io import savemat

from fuzzing import Kind
from read_images import read_images


def _samples(_folder: Path) -> Sequence[bytes]:
    images = np.arange(4 * 32 * 32 * 3).reshape(32, 32, 3, 4).astype(np.uint8)
    return [_saved({"X": images, "y": np.array([[1], [2], [10], [3]])}, compressed) for compressed in (False, True)]


def _saved(variables: dict[str, np.ndarray], compressed: bool) -> bytes:
    file = io.BytesIO()
    savemat(file, variables, do_compression=compressed)
    return file.getvalue()


def _read(content: bytes, folder: Path) -> None:
    (folder / "test_32x32.mat").write_bytes(content)
    read_images(folder / "test_32x32.mat")


KIND = Kind(_samples, _read)
