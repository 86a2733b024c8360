"""A contact sheet: one photograph under every corruption at every severity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw

from robustbench_eff.errors import DataError

from .corruption import SEVERITIES, Constants, Kernel

SIDE = 224
"""Pixels to which the photograph is cropped."""
TILE, GAP, NAMES = 112, 3, 150
"""Pixels of a tile, between tiles, and of the column of names."""


def contact_sheet(
    photograph: Image.Image, kernels: Sequence[Kernel[Any]], constants: Constants = "imagenet"
) -> Image.Image:
    """A row a corruption and a column a severity, after the photograph itself.

    It is resized to 256 pixels along its short side, and its middle of 224 is corrupted, as for ImageNet-C.
    Raises DataError for a photograph that is too narrow to be cropped.
    """
    pixels = torch.from_numpy(np.array(_cropped(photograph.convert("RGB"))))[None]
    pitch = TILE + GAP
    sheet = Image.new("RGB", (NAMES + pitch * (SEVERITIES + 1), pitch * len(kernels) + GAP), "white")
    draw = ImageDraw.Draw(sheet)
    for row, kernel in enumerate(kernels):
        top = GAP + row * pitch
        draw.text((GAP, top + TILE // 2 - 6), kernel.name, fill="black")
        images = [pixels, *(kernel.at(severity, constants)(pixels) for severity in range(1, SEVERITIES + 1))]
        for column, image in enumerate(images):
            tile = Image.fromarray(image[0].numpy()).resize((TILE, TILE), Image.Resampling.LANCZOS)
            sheet.paste(tile, (NAMES + column * pitch, top))
    return sheet


def _cropped(photograph: Image.Image) -> Image.Image:
    width, height = photograph.size
    scale = 256 / min(width, height)
    if max(width, height) * scale > 50 * SIDE:
        raise DataError(f"A photograph of {width}×{height} pixels is too narrow for a sheet.")
    photograph = photograph.resize((round(width * scale), round(height * scale)), Image.Resampling.BILINEAR)
    left, top = (photograph.width - SIDE) // 2, (photograph.height - SIDE) // 2
    return photograph.crop((left, top, left + SIDE, top + SIDE))
