"""A picture of successful attacks: clean image, adversarial image, and ten times their difference."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, PngImagePlugin

from robustbench_eff.storage.picture import Pictured, samples_text

MAX_TILES = 8
"""Largest number of samples in a picture."""
MIN_IMAGE_SIZE = 96
"""Number of pixels to which the longer side of a smaller image is enlarged."""
GAP = 4
"""Number of pixels between two images."""
CAPTION_HEIGHT = 14
"""Height of the captions in pixels."""
AMPLIFICATION = 10
"""Factor by which the difference is enlarged."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A successful attack."""

    clean: np.ndarray
    """Clean image, float of shape (H, W, 3), or (H, W, 1) for grey, in [0, 1]."""
    perturbed: np.ndarray
    """Adversarial image of the same shape."""
    pictured: Pictured
    """Which sample it is, and how it was classified."""

    @property
    def caption(self) -> str:
        """Text below the images."""
        prediction = self.pictured.prediction
        return f"{self.pictured.label} as {prediction if prediction >= 0 else 'nothing'}"


def picture(samples: Sequence[Sample]) -> bytes:
    """Draw samples side by side, one column each; small images are enlarged.

    Args:
        samples: At least one sample, all with images of the same shape.

    Returns:
        A PNG file with the rows clean image, adversarial image, and difference, which is grey where nothing changed. It
        names its samples.
    """
    from PIL import ImageDraw  # loads a library of fonts

    height, width = samples[0].clean.shape[:2]
    scale = max(1, -(-MIN_IMAGE_SIZE // max(height, width)))
    tile_height, tile_width = height * scale + GAP, width * scale + GAP
    sheet = Image.new("RGB", (tile_width * len(samples) + GAP, 3 * tile_height + CAPTION_HEIGHT + GAP), "white")
    draw = ImageDraw.Draw(sheet)
    for column, sample in enumerate(samples):
        left = GAP + column * tile_width
        for row, pixels in enumerate((sample.clean, sample.perturbed, _difference(sample))):
            tile = Image.fromarray(np.broadcast_to((pixels * 255).round(), (height, width, 3)).astype(np.uint8))
            tile = tile.resize((width * scale, height * scale), Image.Resampling.NEAREST)
            sheet.paste(tile, (left, GAP + row * tile_height))
        draw.text((left, 3 * tile_height + GAP), sample.caption, fill="black")
    buffer = io.BytesIO()
    facts = PngImagePlugin.PngInfo()
    facts.add_text(*samples_text([sample.pictured for sample in samples]))
    sheet.save(buffer, "PNG", pnginfo=facts)
    return buffer.getvalue()


def _difference(sample: Sample) -> np.ndarray:
    difference: np.ndarray = np.clip(0.5 + AMPLIFICATION * (sample.perturbed - sample.clean), 0, 1)
    return difference
