"""Reader of SVHN's cropped digits (format 2), as MATLAB files. Their label 10 is the digit 0, and becomes label 0.

Source: Netzer et al. 2011, http://ufldl.stanford.edu/housenumbers; label 0 as in torchvision.datasets.SVHN.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from robustbench_eff.core.errors import DataError

from ..labelled_images import LabelledImages, file_stamp
from ..reader import DocumentedLayout, Reader
from .arrays import labelled_arrays
from .matlab_files import read_matlab
from .placeholder import refuse_placeholder
from .splits import named_split

FILE = re.compile(r"(train|test|extra)_32x32\.mat")
"""Names of the files, which are the names of the splits."""
_ZERO = 10
"""Label of the digit 0 in the files."""


def _open(path: Path, split: str) -> LabelledImages:
    named_split(split, path.name, str(path))
    refuse_placeholder(path)
    content = read_matlab(path)
    if "X" not in content or "y" not in content:
        raise DataError(f"{path} does not hold SVHN's X and y.", "Download it again.")
    labels = content["y"].reshape(-1)
    opened = labelled_arrays(
        str(path),
        np.moveaxis(content["X"], -1, 0),
        np.where(labels == _ZERO, 0, labels),
        stamp=file_stamp(path),
        split=f"{path.name.partition('_')[0]} of SVHN",
    )
    return replace(opened, class_order="the digits, 0 for SVHN's label 10")


SVHN = Reader(
    understands=lambda path: path.is_file() and FILE.fullmatch(path.name) is not None,
    open=_open,
    layouts=(
        DocumentedLayout(
            files="SVHN: `test_32x32.mat`",
            labels="`y` in the file",
            class_order="the digits: label 10 of the file is the digit 0, as in torchvision",
        ),
    ),
)
