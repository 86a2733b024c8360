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
"""Side in pixels to which photographs are cropped."""
TILE, GAP, NAMES = 112, 3, 150
"""Pixels: side of a tile, gap between tiles, and width of the column of names."""
STRENGTHS = (0.25, 0.5, 0.75, 1.0)
"""Strengths at which a styliser is shown."""


def contact_sheet(
    photograph: Image.Image, kernels: Mapping[str, Kernel[Any]], constants: Constants = "imagenet"
) -> Image.Image:
    """Draw one row per corruption: the photograph, then the photograph at severities 1 to 5.

    As for ImageNet-C, the photograph is resized to 256 pixels along its short side and cropped to the central 224.

    Args:
        photograph: Photograph to corrupt.
        kernels: Corruptions by the name to show.
        constants: The set of constants.

    Raises:
        SpecError: A kernel does not define those constants.
        DataError: The photograph is too narrow to be cropped, or a file that a kernel reads does not exist.
    """
    pixels = _cropped(photograph)
    rows = {}
    for name, kernel in kernels.items():
        corrupted = (kernel.at(severity, constants)(pixels) for severity in range(1, SEVERITIES + 1))
        rows[name] = [pixels, *corrupted]
    return _laid_out(rows)


def style_sheet(photograph: Image.Image, style: Image.Image, stylisers: Mapping[str, Styliser]) -> Image.Image:
    """Draw one row per styliser: the photograph, the photograph at rising strength, and the style picture.

    Args:
        photograph: Content; resized and cropped as for `contact_sheet`.
        style: Style picture; resized and cropped in the same way.
        stylisers: Stylisers by the name to show.

    Raises:
        DataError: A picture is too narrow to be cropped, or the weights of a styliser do not exist.
    """
    pixels, style_pixels = _cropped(photograph), _cropped(style)
    content, style_image = (batch.permute(0, 3, 1, 2).float() / WHITE for batch in (pixels, style_pixels))
    rows = {}
    for name, styliser in stylisers.items():
        changed = [(styliser(content, style_image, strength) * WHITE).round().to(torch.uint8) for strength in STRENGTHS]
        rows[name] = [pixels, *(image.permute(0, 2, 3, 1) for image in changed), style_pixels]
    return _laid_out(rows)


def _laid_out(rows: Mapping[str, Sequence[Pixels]]) -> Image.Image:
    """A sheet with one named row of tiles per entry; every image is a batch of one."""
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
    """The centre of the photograph, as a batch of one."""
    width, height = photograph.size
    scale = 256 / min(width, height)
    if max(width, height) * scale > 50 * SIDE:
        raise DataError(f"A photograph of {width}×{height} pixels is too narrow for a sheet.")
    photograph = photograph.resize((round(width * scale), round(height * scale)), Image.Resampling.BILINEAR)
    left, top = (photograph.width - SIDE) // 2, (photograph.height - SIDE) // 2
    cropped = photograph.convert("RGB").crop((left, top, left + SIDE, top + SIDE))
    return torch.from_numpy(np.array(cropped))[None]
