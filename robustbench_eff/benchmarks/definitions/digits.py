"""The bundled benchmark: scikit-learn's 1,797 scanned handwritten digits, rendered to 3x32x32.

The split is fixed: samples are ordered by a hash of their position; the first 1,078 are for training, the next 359 for
validation, the last 360 for testing.

Source: Alpaydin & Kaynak 1998, UCI "Optical recognition of handwritten digits", test part, as bundled with
scikit-learn.
"""

from __future__ import annotations

import dataclasses
import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from robustbench_eff.core.errors import DataError
from robustbench_eff.core.preprocessing import Geometry

from ..benchmark import Benchmark
from ..labelled_images import LabelledImages

Split = Literal["train", "validation", "test"]
_BOUNDS: dict[Split, tuple[int, int]] = {"train": (0, 1078), "validation": (1078, 1437), "test": (1437, 1797)}


def open_digits(split: Split = "test") -> LabelledImages:
    """Return one split; pixels are uint8 (32, 32, 3), the 8x8 original scaled up by bicubic interpolation.

    Args:
        split: Name of the split.

    Raises:
        DataError: scikit-learn is not installed.
    """
    table = _bundled()
    order = sorted(range(len(table)), key=lambda row: hashlib.blake2b(f"digits/{row}".encode()).digest())
    rows = sorted(order[slice(*_BOUNDS[split])])
    return LabelledImages(
        origin="scikit-learn digits",
        ids=[f"digits/{row:04d}" for row in rows],
        labels=[int(table[row, -1]) for row in rows],
        read=lambda position: _render(table[rows[position], :-1].reshape(8, 8)),
        split=split,
        stamp=f"digits {split} {hashlib.blake2b(table.tobytes()).hexdigest()}",
    )


def _bundled() -> npt.NDArray[np.float64]:
    """Return one row per scan: 64 values, then the digit.

    The file is read directly, because importing scikit-learn takes seconds.
    """
    package = find_spec("sklearn")
    if package is None or package.origin is None:
        raise DataError("scikit-learn, which contains the digits, is not installed.", "pip install scikit-learn")
    path = Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"
    return np.loadtxt(path, delimiter=",")


def _render(scan: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Return an 8x8 scan with values 0 to 16 as a 32x32 gray image."""
    from PIL import Image

    small = Image.fromarray(np.round(scan * (255 / 16)).astype(np.uint8))
    return np.asarray(small.resize((32, 32), Image.Resampling.BICUBIC).convert("RGB"))


DIGITS = Benchmark(
    name="digits",
    title="handwritten digits, bundled with scikit-learn",
    label_space="digits",
    split="test",
    licence="CC BY 4.0 at UCI (unverified)",
    download_url="installed with this package",
    size="360 images, no download",
    num_classes=10,
    open_bundled=open_digits,
)


def _cue_conflict(name: str, styliser: str) -> Benchmark:
    return dataclasses.replace(
        DIGITS,
        name=name,
        title=f"digits with the texture of other digits, by {styliser}",
        download_url="made from digits on first use",
        source_benchmark="digits",
        stylise_with=styliser,
        geometry=Geometry(size=32, mode="none"),
    )


DIGITS_CUE_CONFLICT = _cue_conflict("digits-cue-conflict", "random_phase(scale=0.06)")
DIGITS_CUE_CONFLICT_FOURIER = _cue_conflict("digits-cue-conflict-fourier", "fourier(beta=0.5)")
"""Two stylisers, so that a model trained with one can be tested with the other. The low-pass filter of the
first is wider than by default: a stroke is four pixels wide, and a filter of 1.3 pixels would hardly change it."""
