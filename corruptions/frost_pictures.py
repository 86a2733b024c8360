"""Pictures of frost on glass, grown by our own rule: stems with side branches at sixty degrees, smaller and smaller."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageDraw, ImageFilter

from robustbench_eff.core.rng import RandomStreams

Picture = npt.NDArray[np.uint8]
"""Shape (SIDE, SIDE, 3)."""

SIDE, PICTURES = 640, 5
FINER = 2
"""The crystals are drawn so many times as large, for smooth edges."""
STEMS = 60
GLASS = (20.0, 50.0, 80.0, 110.0, 35.0)
"""How bright each picture is where no ice grows."""
DEPTH, SHORTEST = 3, 8.0
"""Branches of branches, and how long the least is, in pixels of the drawing."""
TINT = np.array((0.86, 0.95, 1.0))
"""Of red, green and blue."""
NUMBERS = 4096
"""Random numbers of a picture; after the last comes the first."""


@cache
def pictures() -> tuple[Picture, ...]:
    """All of them, the same on every machine."""
    return tuple(_grown(number) for number in range(PICTURES))


def _grown(number: int) -> Picture:
    """Crystals over mist; the pictures differ in how bright the glass is."""
    side = SIDE * FINER
    canvas = Image.new("L", (side, side), 0)
    pen, dice = ImageDraw.Draw(canvas), _Dice(number)
    for _ in range(STEMS):
        place = (side * dice.roll(-0.1, 1.1), side * dice.roll(-0.1, 1.1))
        _stem(pen, dice, place, dice.roll(0, 2 * np.pi), side * dice.roll(0.15, 0.5), 0)
    crystals = canvas.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    halo = crystals.filter(ImageFilter.GaussianBlur(5))
    ice = 0.45 * np.asarray(crystals, dtype=np.float64) + 0.45 * np.asarray(halo, dtype=np.float64)
    glass = GLASS[number] + 50 * _mist(number)
    picture: Picture = np.clip((glass + ice)[..., None] * TINT, 0, 255).astype(np.uint8)
    return picture


class _Dice:
    """Numbers one after the other."""

    def __init__(self, picture: int) -> None:
        uniform = RandomStreams.of(0, [f"frost {picture}"]).uniform((NUMBERS,), stream="ice")
        self._uniform, self._next = uniform[0].double().numpy(), 0

    def roll(self, low: float, high: float) -> float:
        value = float(self._uniform[self._next % len(self._uniform)])
        self._next += 1
        return low + (high - low) * value


def _stem(
    pen: ImageDraw.ImageDraw, dice: _Dice, start: tuple[float, float], angle: float, length: float, depth: int
) -> None:
    """A slightly bent line that thins out, and its branches."""
    if depth == DEPTH or length < SHORTEST:
        return
    joints = max(4, int(length / 14))
    bend = dice.roll(-0.6, 0.6) / joints
    x, y = start
    for joint in range(joints):
        left = 1 - joint / joints
        angle += bend
        far = (x + length / joints * np.cos(angle), y + length / joints * np.sin(angle))
        pen.line([(x, y), far], fill=int(120 + 110 * left), width=max(1, round((DEPTH - depth) * left * FINER / 2)))
        x, y = far
        for turn in (np.pi / 3, -np.pi / 3):
            _stem(pen, dice, far, angle + turn, length * 0.38 * left, depth + 1)


def _mist(number: int) -> npt.NDArray[np.float64]:
    """Soft clouds from 0 to 1."""
    total = np.zeros((SIDE, SIDE))
    for octave in range(5):
        cells = 4 << octave
        grid = RandomStreams.of(0, [f"frost {number}"]).uniform((cells, cells), stream="mist", step=octave)
        smooth = torch.nn.functional.interpolate(grid[None], size=(SIDE, SIDE), mode="bicubic", align_corners=False)
        total += smooth[0, 0].double().numpy() / 2**octave
    mist: npt.NDArray[np.float64] = (total - total.min()) / (total.max() - total.min())
    return mist
