"""Labelled images as the world stores them: every picture shows its own class, so that a wrong label is seen."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from robustbench_eff import load_classifier

_BASE, _STEP = 25, 10


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldLayout:
    """A layout of files, and what must come of it: the class that each picture shows, or a refusal."""

    name: str
    """Name of the test case."""
    make: Callable[[Path], Path | str]
    """Write the files into an empty folder, and return what a user passes as `--data NAME=...`."""
    benchmark: str = "mine"
    """Name before the equals sign."""
    count: int = 0
    """Number of images that must be found."""
    refusal: str = ""
    """Regular expression of the message, with its hint, where the layout is refused."""
    perturbation: str = ""
    """Spec of the published perturbation whose files are opened; empty for clean images."""


def shown(label: int, size: int = 8) -> np.ndarray:
    """A picture of one color that tells its class, 0 to 999, even after JPEG: uint8 (size, size, 3)."""
    color = (label // _BASE % _BASE * _STEP + 5, label % _BASE * _STEP + 5, label // _BASE**2 * _STEP + 5)
    return np.broadcast_to(np.array(color, np.uint8), (size, size, 3)).copy()


def shown_grey(label: int, size: int = 8) -> np.ndarray:
    """A grey picture that tells its class, 0 to 25, if nothing is lost: uint8 (size, size)."""
    return np.full((size, size), label * _STEP, np.uint8)


def encoded(label: int, size: int = 8, form: str = "PNG", mode: str = "RGB") -> bytes:
    """The picture of a class as the bytes of a file."""
    buffer = io.BytesIO()
    Image.fromarray(shown(label, size)).convert(mode).save(buffer, form)
    return buffer.getvalue()


def label_of(picture: Image.Image) -> int:
    """The class that a picture shows."""
    shades = np.unique(np.asarray(picture))
    if len(shades) == 1 and shades[0] % _STEP == 0:
        return int(shades[0]) // _STEP
    red, green, blue = (np.asarray(picture).reshape(-1, 3).mean(0) / _STEP).astype(int).tolist()
    return blue * _BASE**2 + red * _BASE + green


class SeesClasses(nn.Module):
    """A network that is right about every picture of `shown`, with its classes at the outputs of its training."""

    def __init__(self, outputs: int, output_of: Sequence[int] = ()) -> None:
        super().__init__()
        moved = list(output_of) or list(range(outputs))
        self.register_buffer("output_of", torch.tensor(moved + [0] * (outputs - len(moved))))
        self.register_buffer("answers", 5 * torch.eye(outputs) - 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        red, green, blue = (images.mean((2, 3)) * 255 / _STEP).long().unbind(1)
        label = blue * _BASE**2 + red * _BASE + green
        answer = self.answers[self.output_of[label.clamp(0, len(self.output_of) - 1)]]
        return answer + images.mean((1, 2, 3))[:, None] / 100


def seeing(outputs: int, output_of: Sequence[int] = (), **options):
    """A classifier of 8 × 8 pictures; `options` are those of `load_classifier`."""
    return load_classifier(SeesClasses(outputs, output_of).eval(), input_size=8, device="cpu", **options)


def folders(root: Path, classes: Mapping[str, int], each: int = 2) -> Path:
    """Class folders with pictures that show the class given to each name."""
    for name, label in classes.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(each):
            (root / name / f"{number}.png").write_bytes(encoded(label))
    return root
