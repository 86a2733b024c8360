"""Pairs of arrays of NumPy: the labels are what is changed, or both are, as one array of floats."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fuzzing import Kind
from read_images import read_images
from strange_arrays import IMAGES, LABELS
from strange_files import npy


def _samples(_folder: Path) -> Sequence[bytes]:
    return [npy(IMAGES), npy(LABELS), npy(np.asfortranarray(IMAGES / 255, np.float32)), npy(np.array(list("baab")))]


def _read(content: bytes, folder: Path) -> None:
    (folder / "set").mkdir(exist_ok=True)
    is_images = len(content) > 2 * len(npy(LABELS))
    (folder / "set" / "x.npy").write_bytes(content if is_images else npy(IMAGES))
    (folder / "set" / "y.npy").write_bytes(npy(LABELS) if is_images else content)
    read_images(folder / "set")


KIND = Kind(_samples, _read)
