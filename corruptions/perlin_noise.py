"""Perlin noise: the image is mixed with grey turbulence, octaves of gradient noise.

Source: Mintun, Kirillov & Xie 2021, arXiv:2102.11273; constants as in facebookresearch/augmentation-corruption ba4d5a5;
the noise is Perlin's of 1985, "An image synthesizer".
Differs: all orders of the table are equally likely; a gradient drawn as (0, 0) is level, while there it paints black.
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
"""Different gradients; after so many cells the noise repeats."""
OFFSET = 16 * TABLE
"""Where the image begins, in cells."""
OCTAVES = (1, 2, 4, 8, 16)
CONTRAST = 1.5


def _sample(draws: RandomStreams, size: Size, level: float) -> RandomParameters:
    order = draws.uniform((TABLE,), stream="perlin_noise/order").argsort(dim=1, stable=True)
    steps = (draws.uniform((TABLE, 2), stream="perlin_noise/gradients") * (2 * TABLE)).floor() - TABLE
    return order, functional.normalize(steps.double(), dim=2)


def _apply(
    pixels: Pixels, level: float, order: Int64[Tensor, "batch TABLE"], gradients: Float64[Tensor, "batch TABLE 2"]
) -> Pixels:
    """`order` is a permutation, by which the corners of the cells get their `gradients` (down, across)."""
    width = 32 * shorter((pixels.shape[1], pixels.shape[2])) / 224
    turbulence = torch.zeros((), dtype=torch.float64, device=pixels.device)
    for octave in OCTAVES:
        rows, columns = (_cells(place.flatten() * (1 / width) * octave) for place in coordinates(pixels))
        turbulence = turbulence + _noise(rows, columns, order, gradients).abs_() / octave
    grey = (0.5 * turbulence + 0.5).clamp_(0, 1)[..., None]
    amount = strength(level, 0.5)
    # The image's share is a float32 number there.
    return ((1 - amount) * pixels.float() + WHITE * amount * grey).clamp_(0, WHITE).to(torch.uint8)


class _Cells(NamedTuple):
    """How the pixels of a row, or of a column, lie among the cells."""

    corners: Int64[Tensor, corners]
    """Places in the table."""
    before: Int64[Tensor, pixels]
    """Which corner comes before each pixel."""
    way: Float64[Tensor, pixels]
    """How far behind it the pixel lies, in cells."""

    @property
    def blend(self) -> Float64[Tensor, pixels]:
        """How much the next corner counts."""
        return self.way**2 * (3.0 - 2.0 * self.way)


def _cells(places: Float64[Tensor, pixels]) -> _Cells:
    places = places + OFFSET
    cell = places.long()
    corners = torch.arange(int(cell[0]), int(cell[-1]) + 2, device=places.device)
    return _Cells(corners % TABLE, cell - cell[0], places % 1)


def _noise(
    rows: _Cells, columns: _Cells, order: Int64[Tensor, "batch TABLE"], gradients: Float64[Tensor, "batch TABLE 2"]
) -> Plane:
    """Noise that is 0 at every corner and rises there along its gradient."""
    corner = order.gather(1, (order[:, rows.corners, None] + columns.corners).flatten(1) % TABLE)
    down, across = (
        part.gather(1, corner).view(len(order), len(rows.corners), len(columns.corners)) for part in gradients.unbind(2)
    )
    way, blend = rows.way[:, None], rows.blend[:, None]
    # Along a row between two corners the noise is level + slope * way: two small tables, spread to the pixels last.
    level = _mixed(way * down[:, rows.before], (way - 1.0) * down[:, rows.before + 1], blend)
    slope = _mixed(across[:, rows.before], across[:, rows.before + 1], blend)
    left = level[:, :, columns.before] + columns.way * slope[:, :, columns.before]
    right = level[:, :, columns.before + 1] + (columns.way - 1.0) * slope[:, :, columns.before + 1]
    return CONTRAST * _mixed(left, right, columns.blend)


def _mixed(first: Tensor, second: Tensor, share: Tensor) -> Tensor:
    return first + share * (second - first)


PERLIN_NOISE = Kernel(
    name="perlin_noise",
    severities={"imagenet": (4.6, 5.2, 5.8, 7.6, 8.8)},
    sample=_sample,
    apply=_apply,
)
