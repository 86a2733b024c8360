"""Perlin noise: mixes the image with grey turbulence, octaves of gradient noise.

Source: Mintun, Kirillov & Xie 2021, arXiv:2102.11273; constants as in facebookresearch/augmentation-corruption ba4d5a5;
the noise is that of Perlin 1985, "An image synthesizer".
Differs: all orders of the table are equally likely; a gradient drawn as (0, 0) is flat, while the published code paints
black.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as functional
from jaxtyping import Float64, Int64
from torch import Tensor

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels

from .corruption import Kernel, RandomParameters, Size
from .pixel_grid import Plane, coordinates
from .quantize import WHITE
from .severity_ranges import shorter, strength

TABLE = 256
"""Number of gradients; the noise repeats after this many cells."""
OFFSET = 16 * TABLE
"""Coordinate of the first pixel, in cells."""
OCTAVES = (1, 2, 4, 8, 16)
CONTRAST = 1.5


def _sample(draws: RandomStreams, size: Size, level: float) -> RandomParameters:
    order = draws.uniform((TABLE,), stream="perlin_noise/order").argsort(dim=1, stable=True)
    steps = (draws.uniform((TABLE, 2), stream="perlin_noise/gradients") * (2 * TABLE)).floor() - TABLE
    return order, functional.normalize(steps.double(), dim=2)


def _apply(
    pixels: Pixels, level: float, order: Int64[Tensor, "batch TABLE"], gradients: Float64[Tensor, "batch TABLE 2"]
) -> Pixels:
    """Corrupt; `order` is the permutation that assigns `gradients` (down, across) to the corners of the cells."""
    width = 32 * shorter((pixels.shape[1], pixels.shape[2])) / 224
    turbulence = torch.zeros((), dtype=torch.float64, device=pixels.device)
    for octave in OCTAVES:
        rows, columns = (_cells(position.flatten() * (1 / width) * octave) for position in coordinates(pixels))
        turbulence = turbulence + _noise(rows, columns, order, gradients).abs_() / octave
    grey = (0.5 * turbulence + 0.5).clamp_(0, 1)[..., None]
    amount = strength(level, 0.5)
    # The published code computes the image's share in float32.
    return ((1 - amount) * pixels.float() + WHITE * amount * grey).clamp_(0, WHITE).to(torch.uint8)


class _Cells(NamedTuple):
    """The position of the pixels of a row, or of a column, relative to the cells."""

    corners: Int64[Tensor, corners]
    """Indices into the table."""
    before: Int64[Tensor, pixels]
    """Index of the corner before each pixel."""
    offset: Float64[Tensor, pixels]
    """Distance of the pixel from that corner, in cells."""

    @property
    def blend(self) -> Float64[Tensor, pixels]:
        """Weight of the next corner."""
        return self.offset**2 * (3.0 - 2.0 * self.offset)


def _cells(positions: Float64[Tensor, pixels]) -> _Cells:
    positions = positions + OFFSET
    cell = positions.long()
    corners = torch.arange(int(cell[0]), int(cell[-1]) + 2, device=positions.device)
    return _Cells(corners % TABLE, cell - cell[0], positions % 1)


def _noise(
    rows: _Cells, columns: _Cells, order: Int64[Tensor, "batch TABLE"], gradients: Float64[Tensor, "batch TABLE 2"]
) -> Plane:
    """Noise that is 0 at every corner and has the corner's gradient there."""
    corner = order.gather(1, (order[:, rows.corners, None] + columns.corners).flatten(1) % TABLE)
    down, across = (
        component.gather(1, corner).view(len(order), len(rows.corners), len(columns.corners))
        for component in gradients.unbind(2)
    )
    offset, blend = rows.offset[:, None], rows.blend[:, None]
    # Along a row between two corners the noise is level + slope * offset: two small tables, expanded to pixels last.
    level = _mixed(offset * down[:, rows.before], (offset - 1.0) * down[:, rows.before + 1], blend)
    slope = _mixed(across[:, rows.before], across[:, rows.before + 1], blend)
    left = level[:, :, columns.before] + columns.offset * slope[:, :, columns.before]
    right = level[:, :, columns.before + 1] + (columns.offset - 1.0) * slope[:, :, columns.before + 1]
    return CONTRAST * _mixed(left, right, columns.blend)


def _mixed(first: Tensor, second: Tensor, share: Tensor) -> Tensor:
    return first + share * (second - first)


PERLIN_NOISE = Kernel(
    name="perlin_noise",
    severities={"imagenet": (4.6, 5.2, 5.8, 7.6, 8.8)},
    sample=_sample,
    apply=_apply,
)
