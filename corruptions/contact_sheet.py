"""Contact sheets: one photograph under every corruption at every severity, or in the style of a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw

from robustbench_eff.core.errors import DataError
from robustbench_eff.core.types import Pixels

from .corruption import SEVERITIES, Constants, Kernel
from .quantize import WHITE
from .stylise import Styliser

SIDE = 224
"""Pixels to which the photograph is cropped."""
TILE, GAP, NAMES = 112, 3, 150
"""Pixels of a tile, between tiles, and of the column of names."""
STRENGTHS = (0.25, 0.5, 0.75, 1.0)
"""Of a styliser."""


def contact_sheet(
    photograph: Image.Image, kernels: Sequence[Kernel[Any]], constants: Constants = "imagenet"
) -> Image.Image:
    """A row a corruption and a column a severity, after the photograph itself.

    It is resized to 256 pixels along its short side, and its middle of 224 is corrupted, as for ImageNet-C.
    Raises DataError for a photograph that is too narrow to be cropped.
    """
    pixels = _cropped(photograph)
    rows = {}
    for kernel in kernels:
        corrupted = (kernel.at(severity, constants)(pixels) for severity in range(1, SEVERITIES + 1))
        rows[kernel.name] = [pixels, *corrupted]
    return _laid_out(rows)


def style_sheet(photograph: Image.Image, style: Image.Image, stylisers: Mapping[str, Styliser]) -> Image.Image:
    """A row a styliser: the photograph, the same at rising strength, and the picture whose style it gets.

    Both are resized and cropped as for `contact_sheet`; DataError for one that is too narrow.
    """
    pixels, pattern = _cropped(photograph), _cropped(style)
    content, given = (picture.permute(0, 3, 1, 2).float() / WHITE for picture in (pixels, pattern))
    rows = {}
    for name, styliser in stylisers.items():
        changed = [(styliser(content, given, strength) * WHITE).round().to(torch.uint8) for strength in STRENGTHS]
        rows[name] = [pixels, *(image.permute(0, 2, 3, 1) for image in changed), pattern]
    return _laid_out(rows)


def _laid_out(rows: Mapping[str, Sequence[Pixels]]) -> Image.Image:
    """A named row of tiles for each batch of one image."""
    pitch = TILE + GAP
    width = NAMES + pitch * max(map(len, rows.values()), default=0)
    sheet = Image.new("RGB", (width, pitch * len(rows) + GAP), "white")
    draw = ImageDraw.Draw(sheet)
    for row, (name, images) in enumerate(rows.items()):
        top = GAP + row * pitch
        draw.text((GAP, top + TILE // 2 - 6), name, fill="black")
        for column, image in enumerate(images):
            tile = Image.fromarray(image[0].numpy()).resize((TILE, TILE), Image.Resampling.LANCZOS)
            sheet.paste(tile, (NAMES + column * pitch, top))
    return sheet


def _cropped(photograph: Image.Image) -> Pixels:
    """The middle of the photograph, as a batch of one."""
    width, height = photograph.size
    scale = 256 / min(width, height)
    if max(width, height) * scale > 50 * SIDE:
        raise DataError(f"A photograph of {width}×{height} pixels is too narrow for a sheet.")
    photograph = photograph.resize((round(width * scale), round(height * scale)), Image.Resampling.BILINEAR)
    left, top = (photograph.width - SIDE) // 2, (photograph.height - SIDE) // 2
    cropped = photograph.convert("RGB").crop((left, top, left + SIDE, top + SIDE))
    return torch.from_numpy(np.array(cropped))[None]
