"""Generated pictures of frost on glass: stems with ever smaller side branches at sixty degrees."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import PIL
import torch
from PIL import Image, ImageDraw, ImageFilter

from robustbench_eff.core.disk import atomic_write, cache_folder
from robustbench_eff.core.errors import RobustEvalError
from robustbench_eff.core.rng import RandomStreams

Picture = npt.NDArray[np.uint8]
"""Shape (SIDE, SIDE, 3)."""

SIDE, PICTURES = 640, 5
FINER = 2
"""Supersampling factor of the crystals, for smooth edges."""
STEMS = 60
GLASS = (20.0, 50.0, 80.0, 110.0, 35.0)
"""Brightness of each picture where no ice grows."""
DEPTH, SHORTEST = 3, 8.0
"""Depth of the recursion, and length of the shortest branch in pixels of the drawing."""
TINT = np.array((0.86, 0.95, 1.0))
"""Factors of red, green and blue."""
NUMBERS = 4096
"""Random numbers of a picture, used cyclically."""


SHAPE = (PICTURES, SIDE, SIDE, 3)
HASH_BYTES = 32


@cache
def pictures() -> tuple[Picture, ...]:
    """Return the five pictures, the same on every machine; they take seconds to draw, and are kept in the cache."""
    with suppress(OSError, RobustEvalError):  # without a cache they are drawn again
        if (kept := _read(_place())) is not None:
            return kept
    drawn = tuple(_grown(index) for index in range(PICTURES))
    content = b"".join(picture.tobytes() for picture in drawn)
    with suppress(OSError, RobustEvalError):
        atomic_write(_place(), hashlib.sha256(content).digest() + content)
    return drawn


def _place() -> Path:
    """The file of the pictures that this code and this version of Pillow draw."""
    drawn_by = hashlib.sha256(Path(__file__).read_bytes() + PIL.__version__.encode()).hexdigest()
    return cache_folder() / "frost" / drawn_by[:32]


def _read(file: Path) -> tuple[Picture, ...] | None:
    """The pictures in a file; None where it is absent or damaged."""
    if not file.is_file() or file.stat().st_size != HASH_BYTES + int(np.prod(SHAPE)):
        return None
    content = file.read_bytes()
    if hashlib.sha256(content[HASH_BYTES:]).digest() != content[:HASH_BYTES]:
        return None
    return tuple(np.frombuffer(content, np.uint8, offset=HASH_BYTES).reshape(SHAPE))


def _grown(index: int) -> Picture:
    """Crystals over mist; the brightness of the glass differs from picture to picture."""
    side = SIDE * FINER
    canvas = Image.new("L", (side, side), 0)
    pen, dice = ImageDraw.Draw(canvas), _Dice(index)
    for _ in range(STEMS):
        start = (side * dice.roll(-0.1, 1.1), side * dice.roll(-0.1, 1.1))
        _grow_stem(pen, dice, _Stem(start, dice.roll(0, 2 * np.pi), side * dice.roll(0.15, 0.5)))
    crystals = canvas.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    halo = crystals.filter(ImageFilter.GaussianBlur(5))
    ice = 0.45 * np.asarray(crystals, dtype=np.float64) + 0.45 * np.asarray(halo, dtype=np.float64)
    glass = GLASS[index] + 50 * _mist(index)
    picture: Picture = np.clip((glass + ice)[..., None] * TINT, 0, 255).astype(np.uint8)
    return picture


class _Dice:
    """A source of random numbers."""

    def __init__(self, index: int) -> None:
        uniform = RandomStreams.of(0, [f"frost {index}"]).uniform((NUMBERS,), stream="ice")
        self._uniform, self._next = uniform[0].double().numpy(), 0

    def roll(self, low: float, high: float) -> float:
        value = float(self._uniform[self._next % len(self._uniform)])
        self._next += 1
        return low + (high - low) * value


class _Stem(NamedTuple):
    """A stem before it grows; lengths are in pixels of the drawing, the angle is in radians."""

    start: tuple[float, float]
    angle: float
    length: float
    depth: int = 0


def _grow_stem(pen: ImageDraw.ImageDraw, dice: _Dice, stem: _Stem) -> None:
    """Draw a slightly bent line that becomes thinner, and its branches."""
    (x, y), angle, length, depth = stem
    if depth == DEPTH or length < SHORTEST:
        return
    joints = max(4, int(length / 14))
    bend = dice.roll(-0.6, 0.6) / joints
    for joint in range(joints):
        remaining = 1 - joint / joints
        angle += bend
        end = (x + length / joints * np.cos(angle), y + length / joints * np.sin(angle))
        width = max(1, round((DEPTH - depth) * remaining * FINER / 2))
        pen.line([(x, y), end], fill=int(120 + 110 * remaining), width=width)
        x, y = end
        for turn in (np.pi / 3, -np.pi / 3):
            _grow_stem(pen, dice, _Stem(end, angle + turn, length * 0.38 * remaining, depth + 1))


def _mist(index: int) -> npt.NDArray[np.float64]:
    """Soft clouds from 0 to 1."""
    total = np.zeros((SIDE, SIDE))
    for octave in range(5):
        cells = 4 << octave
        grid = RandomStreams.of(0, [f"frost {index}"]).uniform((cells, cells), stream="mist", step=octave)
        smooth = torch.nn.functional.interpolate(grid[None], size=(SIDE, SIDE), mode="bicubic", align_corners=False)
        total += smooth[0, 0].double().numpy() / 2**octave
    mist: npt.NDArray[np.float64] = (total - total.min()) / (total.max() - total.min())
    return mist
