"""The published pictures of frost, read from a folder of the user because they may not be redistributed."""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path

import numpy as np

from robustbench_eff.core.errors import DataError
from robustbench_eff.core.outside_files import read_bytes
from robustbench_eff.core.pictures import open_picture

from .frost_pictures import Picture

VARIABLE = "ROBUST_EVAL_FROST"
"""The environment variable that names the folder."""
FILES = {
    "frost1.png": "319134521e12adb2",
    "frost2.png": "ac0a6a8248e3d21e",
    "frost3.png": "11570e61032b1489",
    "frost4.jpg": "e1b325c4003d2f59",
    "frost5.jpg": "b4e380c32fb8c98e",
}
"""BLAKE2b hashes, in the authors' order. There is also a frost6.jpg, but their code draws one of the first five."""
WHERE = f"""\
They are frost1.png to frost5.jpg in ImageNet-C/create_c of github.com/hendrycks/robustness.
Set {VARIABLE} to the folder that contains them, or use `frost`, which needs no files."""


def published_frost() -> tuple[Picture, ...]:
    """Return the five pictures in the authors' order, uint8 (H, W, 3).

    Raises:
        DataError: The environment variable is not set, or a picture in the folder is missing or differs from the
            published one.

    Source: hendrycks/robustness 8190fe3.
    """
    folder = os.environ.get(VARIABLE)
    if not folder:
        raise DataError("The published pictures of frost may not be redistributed with this package.", WHERE)
    return _read(Path(folder).expanduser())


@cache
def _read(folder: Path) -> tuple[Picture, ...]:
    if missing := [name for name in FILES if not (folder / name).is_file()]:
        raise DataError(f"{folder} does not contain {', '.join(missing)}.", WHERE)
    contents = {name: read_bytes(folder / name) for name in FILES}
    for name, expected in FILES.items():
        if hashlib.blake2b(contents[name], digest_size=8).hexdigest() != expected:
            raise DataError(
                f"{folder / name} is not the published picture of that name.",
                f"{WHERE}\nTo use pictures of your own, call robustbench_eff.corruptions.frost_of in Python.",
            )
    return tuple(np.asarray(open_picture(content).convert("RGB")) for content in contents.values())
