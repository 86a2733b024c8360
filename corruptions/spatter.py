"""Spatter: adds drops of water, or mud at severities 4 and 5.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261; constants as in hendrycks/robustness 8190fe3, whose OpenCV calls
are reproduced step by step.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as functional
from jaxtyping import Float, Float32, Float64, Int64
from torch import Tensor

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels

from .canny import DIAGONAL, KNIGHT, STRAIGHT, TAN_22, TAN_SHIFT, edge_distances
from .corruption import Kernel, RandomParameters, Size
from .gaussian_filter import gaussian, taps
from .quantize import WHITE, divided, fractions, levels
from .random import can_compile, normals

TURQUOISE, BROWN = (175, 238, 238), (63, 42, 20)
LOW, HIGH = 50, 150
"""Canny thresholds for the edges of the drops."""
FARTHEST = 20
"""Distance from an edge, in pixels, beyond which a drop looks the same."""
RELIEF = ((-2, -1, 0), (-1, 1, 1), (0, 1, 2))
DENSE = 0.8
"""Thinner mud is removed."""


class Spatter(NamedTuple):
    """Constants of a severity."""

    mean: float
    deviation: float
    sigma: float
    """Standard deviation of the smoothing, in pixels."""
    threshold: float
    """Liquid below it is removed."""
    strength: float
    """Brightness of water; for mud the standard deviation of its edges, in pixels."""
    mud: bool


def _sample(draws: RandomStreams, size: Size, spatter: Spatter) -> RandomParameters:
    return (normals(draws, size, "spatter"),)


def _apply(pixels: Pixels, spatter: Spatter, noise: Float[Tensor, "batch height width"]) -> Pixels:
    image = fractions(pixels).float()
    liquid = gaussian(spatter.mean + spatter.deviation * noise.double(), spatter.sigma)
    liquid = liquid.masked_fill(liquid < spatter.threshold, 0.0)
    if spatter.mud:
        return _muddy(image, (liquid > spatter.threshold).float(), spatter.strength)
    return _wet(image, (liquid * WHITE).long(), spatter.strength)


def _compiled(pixels: Pixels, spatter: Spatter, noise: Float[Tensor, "batch height width"]) -> Pixels:
    from .compiled import jit
    from .compiled import spatter as loops

    liquid = (spatter.mean, spatter.deviation, spatter.threshold)
    weights = taps(spatter.sigma)
    if spatter.mud:
        brown = np.array(BROWN) / WHITE
        return jit.apply_loop(loops.muddy, pixels, noise, liquid, weights, taps(spatter.strength), DENSE, brown)
    return jit.apply_loop(loops.wet, pixels, noise, liquid, weights, *_water(spatter.strength))


def add_water(pixels: Pixels, liquid: Float64[Tensor, "batch height width"], strength: float) -> Pixels:
    """Draw drops of water over images.

    Args:
        pixels: Images.
        liquid: Depth of the water, roughly 0 to 1.
        strength: Brightness of the water.
    """
    if pixels.device.type == "cpu" and can_compile():
        from .compiled import jit
        from .compiled import spatter as loops

        return jit.apply_loop(loops.wetted, pixels, liquid, *_water(strength))
    return _wet(fractions(pixels).float(), (liquid * WHITE).long(), strength)


def _water(strength: float) -> tuple[Any, ...]:
    """The constants of water that compiled loops take."""
    thresholds, steps, limit = (LOW, HIGH, TAN_SHIFT, TAN_22), (STRAIGHT, DIAGONAL, KNIGHT), FARTHEST * STRAIGHT
    relief, turquoise = np.array(RELIEF, dtype=np.int32), (np.array(TURQUOISE) / WHITE).astype(np.float32)
    return thresholds, steps, limit, relief, strength, turquoise


def _muddy(
    image: Float32[Tensor, "batch height width 3"], dirt: Float32[Tensor, "batch height width"], sigma: float
) -> Pixels:
    mud = gaussian(dirt, sigma)
    mud = mud.masked_fill(mud < DENSE, 0.0)[..., None]
    brown = divided(torch.tensor(BROWN, device=image.device).double(), WHITE)
    return levels((image * (1 - mud)).double() + brown * mud.double())


def _wet(
    image: Float32[Tensor, "batch height width 3"],
    drops: Int64[Tensor, "batch height width"],
    strength: float,
) -> Pixels:
    """Drops of water, lit by a relief of the distance from their edges."""
    distance = edge_distances(drops, LOW, HIGH, FARTHEST)
    relief = _relief(_equalised(divided(_box(distance.double()), 9).float().long()))
    shine = (drops * ((_box(relief) + 4) // 9)).float()
    shine = shine / shine.amax((1, 2), keepdim=True) * strength
    turquoise = divided(torch.tensor(TURQUOISE, device=image.device).double(), WHITE).float()
    return (image + shine[..., None] * turquoise).clamp_(0, 1).mul_(WHITE).to(torch.uint8)


def _box(field: Tensor) -> Tensor:
    """Sums over 3 x 3 pixels; beyond the edges lies the mirror image, without a second copy of the last pixel."""
    return sum(_neighbourhood(field), torch.zeros_like(field))


def _relief(image: Int64[Tensor, "batch height width"]) -> Int64[Tensor, "batch height width"]:
    """The brightness of a surface lit from one corner."""
    weights = [weight for row in RELIEF for weight in row]
    weighted = zip(weights, _neighbourhood(image), strict=True)
    return sum((weight * neighbour for weight, neighbour in weighted), torch.zeros_like(image)).clamp_(0, WHITE)


def _neighbourhood(field: Tensor) -> list[Tensor]:
    """The field shifted to each of the 3 x 3 neighbours, row by row."""
    height, width = field.shape[1:]
    padded = functional.pad(field[:, None].double(), (1,) * 4, mode="reflect")[:, 0].to(field.dtype)
    return [padded[:, y : y + height, x : x + width] for y in range(3) for x in range(3)]


def _equalised(image: Int64[Tensor, "batch height width"]) -> Int64[Tensor, "batch height width"]:
    """Histogram equalisation; the lowest level that occurs becomes 0."""
    flat = image.flatten(1)
    counts = torch.zeros(len(flat), WHITE + 1, dtype=torch.int64, device=image.device)
    counts.scatter_add_(1, flat, torch.ones_like(flat))
    lowest = (counts > 0).long().argmax(1, keepdim=True)
    first = counts.gather(1, lowest)
    scale = torch.tensor(float(WHITE)) / (flat.shape[1] - first).float()
    above = (counts.cumsum(1) - first).clamp_min(0)
    table = (above.float() * scale).round().clamp_(0, WHITE).long()
    table = torch.where(first == flat.shape[1], lowest, table)
    return table.gather(1, flat).view_as(image)


SPATTER = Kernel(
    name="spatter",
    severities={
        "imagenet": (
            Spatter(0.65, 0.3, 4, 0.69, 0.6, False),
            Spatter(0.65, 0.3, 3, 0.68, 0.6, False),
            Spatter(0.65, 0.3, 2, 0.68, 0.5, False),
            Spatter(0.65, 0.3, 1, 0.65, 1.5, True),
            Spatter(0.67, 0.4, 1, 0.65, 1.5, True),
        ),
        "cifar10": (
            Spatter(0.62, 0.1, 0.7, 0.7, 0.5, False),
            Spatter(0.65, 0.1, 0.8, 0.7, 0.5, False),
            Spatter(0.65, 0.3, 1, 0.69, 0.5, False),
            Spatter(0.65, 0.1, 0.7, 0.69, 0.6, True),
            Spatter(0.65, 0.1, 0.5, 0.68, 0.6, True),
        ),
    },
    sample=_sample,
    apply=_apply,
    compiled=_compiled,
)
