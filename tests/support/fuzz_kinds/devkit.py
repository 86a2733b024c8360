"""The table of classes in ImageNet's development kit, a MATLAB file with a structure."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.io import savemat

from fuzzing import Kind
from robustbench_eff.benchmarks.readers.imagenet_devkit import GROUND_TRUTH, META, wnids_of_folder


def _samples(_folder: Path) -> Sequence[bytes]:
    rows = np.empty((3, 1), dtype=[("ILSVRC2012_ID", "O"), ("WNID", "O")])
    for row in range(3):
        rows[row, 0] = (float(row + 1), f"n0144000{row}")
    file = io.BytesIO()
    savemat(file, {"synsets": rows})
    return [file.getvalue()]


def _read(content: bytes, folder: Path) -> None:
    (folder / GROUND_TRUTH).write_text("3\n1\n2\n")
    (folder / META).write_bytes(content)
    wnids_of_folder(folder / GROUND_TRUTH)


KIND = Kind(_samples, _read)
