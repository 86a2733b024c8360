"""The bundled digits, turned by 180 degrees."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from robustbench_eff.benchmarks.definitions.digits import DIGITS, Split, open_digits
from robustbench_eff.benchmarks.labelled_images import LabelledImages


def _open(split: Split = "test") -> LabelledImages:
    upright = open_digits(split)

    def read(position: int) -> npt.NDArray[np.uint8]:
        return np.ascontiguousarray(np.asarray(upright.read(position))[::-1, ::-1])

    return replace(upright, origin="digits, upside down", read=read, stamp=f"{upright.stamp} upside down")


UPSIDE_DOWN_DIGITS = replace(
    DIGITS,
    name="acme/upside-down-digits",
    title="handwritten digits, turned by 180 degrees",
    open_bundled=_open,
)
