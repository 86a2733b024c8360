"""A picture of what an attack did: clean image, adversarial image, ten times their difference."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

MAX_TILES = 8
"""Samples in a picture."""
SMALLEST, GAP, CAPTION = 96, 4, 14
"""Pixels: the least size of an image in the picture, the space between, the height of a line of text."""
AMPLIFIED = 10


@dataclass(frozen=True, slots=True)
class Sample:
    """A success: both images as float (H, W, 3) in [0, 1], and what is written below."""

    clean: np.ndarray
    perturbed: np.ndarray
    caption: str


def picture(samples: Sequence[Sample]) -> bytes:
    """A PNG with one column a sample; grey in the difference means unchanged, small images are enlarged."""
    height, width = samples[0].clean.shape[:2]
    scale = max(1, -(-SMALLEST // max(height, width)))
    tile_height, tile_width = height * scale + GAP, width * scale + GAP
    sheet = Image.new("RGB", (tile_width * len(samples) + GAP, 3 * tile_height + CAPTION + GAP), "white")
    draw = ImageDraw.Draw(sheet)
    for column, sample in enumerate(samples):
        left = GAP + column * tile_width
        for row, pixels in enumerate((sample.clean, sample.perturbed, _difference(sample))):
            tile = Image.fromarray((pixels * 255).round().astype(np.uint8))
            tile = tile.resize((width * scale, height * scale), Image.Resampling.NEAREST)
            sheet.paste(tile, (left, GAP + row * tile_height))
        draw.text((left, 3 * tile_height + GAP), sample.caption, fill="black")
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    return buffer.getvalue()


def _difference(sample: Sample) -> np.ndarray:
    grey: np.ndarray = np.clip(0.5 + AMPLIFIED * (sample.perturbed - sample.clean), 0, 1)
    return grey
