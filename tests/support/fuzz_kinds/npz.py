"""Archives of NumPy with images and labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fuzzing import Kind
from read_images import read_images
from strange_arrays import IMAGES, LABELS
from strange_files import npy, npz


def _samples(_folder: Path) -> Sequence[bytes]:
    floats, names = npy(IMAGES / 255), npy(LABELS.astype(str))
    return [npz(("x.npy", npy(IMAGES)), ("y.npy", npy(LABELS))), npz(("x_test.npy", floats), ("y_test.npy", names))]


def _read(content: bytes, folder: Path) -> None:
    (folder / "set.npz").write_bytes(content)
    read_images(folder / "set.npz")


KIND = Kind(_samples, _read)
