"""Pickles of CIFAR's python version."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from pickle import dumps

import numpy as np

from fuzzing import Kind
from read_images import read_images


def _samples(_folder: Path) -> Sequence[bytes]:
    pixels = np.zeros((2, 3072), np.uint8)
    names = {"label_names": ["a", "b"]}
    batches = [{b"data": pixels, b"labels": [1, 0]}, {"data": pixels, "fine_labels": [99, 3], "filenames": ["a", "b"]}]
    return [*(dumps(batch, protocol) for batch in batches for protocol in (2, 4)), dumps(names, 2)]


def _read(content: bytes, folder: Path) -> None:
    (folder / "set").mkdir(exist_ok=True)
    is_batch = b"data" in content
    (folder / "set" / "test_batch").write_bytes(content if is_batch else _samples(folder)[0])
    (folder / "set" / "batches.meta").write_bytes(dumps({"label_names": ["a", "b"]}, 2) if is_batch else content)
    read_images(folder / "set")


KIND = Kind(_samples, _read)
