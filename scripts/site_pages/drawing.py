"""Sheets of pictures with a line of text under each, drawn without a plotting library."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

GAP, LINE, FONT = 8, 34, 22
"""Pixels: gap between tiles, height of the text under a tile, and size of its letters, which a telephone shows
at half their size."""


class Tile(NamedTuple):
    """A picture and the text under it."""

    picture: Image.Image
    text: str


def picture(image: Tensor) -> Image.Image:
    """Return an image as a picture.

    Args:
        image: float in [0, 1], shape (3, H, W); or uint8, shape (H, W, 3).
    """
    if image.is_floating_point():
        image = (image.detach().clamp(0, 1) * 255).round().byte().permute(1, 2, 0)
    return Image.fromarray(np.ascontiguousarray(image.numpy()))


def sheet(tiles: Sequence[Tile], columns: int, side: int) -> Image.Image:
    """Return the tiles in rows; small pictures are enlarged so that their pixels can be seen.

    Args:
        tiles: Tiles, row by row.
        columns: Number of tiles in a row.
        side: Side of a tile in pixels.
    """
    rows = -(-len(tiles) // columns)
    width, height = columns * (side + GAP) + GAP, rows * (side + LINE + GAP) + GAP
    drawn = Image.new("RGB", (width, height), "white")
    draw, font = ImageDraw.Draw(drawn), _font()
    for number, tile in enumerate(tiles):
        left = GAP + number % columns * (side + GAP)
        top = GAP + number // columns * (side + LINE + GAP)
        enlarged = max(tile.picture.size) < side
        filter_ = Image.Resampling.NEAREST if enlarged else Image.Resampling.LANCZOS
        drawn.paste(tile.picture.resize((side, side), filter_), (left, top))
        draw.text((left + side // 2, top + side + LINE // 2), tile.text, "black", font, anchor="mm")
    return drawn


@cache
def _font() -> ImageFont.FreeTypeFont:
    """The letters of matplotlib: those of Pillow have no ×."""
    package = find_spec("matplotlib")
    assert package is not None and package.origin is not None
    return ImageFont.truetype(Path(package.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf", FONT)
