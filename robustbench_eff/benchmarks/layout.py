"""How the files of a published corrupted set lie below its folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .labelled_images import LabelledImages


@dataclass(frozen=True, slots=True)
class Layout:
    """How a published set lies below the folder that a user gives."""

    place: Callable[[Path, str, int], Path]
    """place(folder, name, level): where a corruption lies at a severity, or a sequence at a difficulty."""
    open: Callable[[Path, int], LabelledImages]
    """open(place, level): its images, or its sequences of frames."""
    kind: Literal["corruption", "sequence"]
    constants: Literal["imagenet", "cifar10"]
    """What the set was made with."""
    reader: str = ""
    """The module that its files need and that may not be installed."""
