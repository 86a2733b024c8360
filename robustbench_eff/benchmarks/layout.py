"""The layout of a published corrupted set: which file holds which perturbation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .labelled_images import LabelledImages
from .reader import DocumentedLayout


@dataclass(frozen=True, slots=True)
class Layout:
    """How the files of a published set lie below the folder that a user gives."""

    place: Callable[[Path, str, int], Path]
    """Return the file or folder of a perturbation: `place(folder, name, level)`, where `level` is the severity of a
    corruption or the difficulty of a sequence."""
    open: Callable[[Path, int], LabelledImages]
    """Open that file or folder: `open(place, level)` returns its images, or its sequences of frames; without labels
    where the files have none, and the clean images in the same order have them."""
    kind: Literal["corruption", "sequence"]
    """Kind of perturbation that the files hold."""
    constants: str
    """Name of the severity constants that the set was made with, such as `imagenet`; of a set that cannot be generated
    here, the set's own."""
    reader: str = ""
    """Name of an optional module that reading the files needs; empty where none is needed."""
    layouts: tuple[DocumentedLayout, ...] = ()
    """How the files may lie, for the documentation."""
