"""Lines: draws anti-aliased grey lines of similar direction.

Source: Mintun, Kirillov & Xie 2021, arXiv:2102.11273; constants as in facebookresearch/augmentation-corruption ba4d5a5;
the lines are those of scikit-image 0.16.2, draw.line_aa, after Zingl 2012, "A Rasterizing Algorithm for Drawing
Curves".
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels

from .corruption import Kernel, RandomParameters, Size
from .severity_ranges import between, shorter, strength

GREY = 128
Points = Int64[Tensor, "batch lines 2"]
Steps = Int64[Tensor, "batch lines ..."]


def _sample(draws: RandomStreams, size: Size, level: float) -> RandomParameters:
    count = int(strength(level, 1.0) * shorter(size))  # zero for the smallest images
    positions = draws.uniform((count + 1, 2), stream="lines")[:, :count].double()
    common = draws.uniform((2,), stream="lines/direction").double()
    own = draws.uniform((count + 1,), stream="lines/directions")[:, :count].double()
    direction, spread = between(0.0, 2 * math.pi, common[:, :1]), between(0.1, 1.0, common[:, 1:])
    return positions * positions.new_tensor(size), direction + 2 * math.pi * spread * (own - 0.5)


def _apply(
    pixels: Pixels, level: float, centres: Float64[Tensor, "batch lines 2"], angles: Float64[Tensor, "batch lines"]
) -> Pixels:
    """Corrupt; `centres` are (row, column), and a line extends by the image's side both ways, vertically at angle 0."""
    side = shorter((pixels.shape[1], pixels.shape[2]))
    reach = torch.stack((torch.cos(angles) * side, torch.sin(angles) * side), 2)
    covers = _cover((centres - reach).long(), (centres + reach).long(), (pixels.shape[1], pixels.shape[2]))
    for cover in covers.unbind(1):
        pixels = ((1.0 - cover) * pixels.double() + cover * GREY).to(torch.uint8)
    return pixels


def _cover(start: Points, end: Points, size: Size) -> Float64[Tensor, "batch lines height width 1"]:
    """The share of every pixel that each line covers.

    A line has one pixel at each step along its longer direction. Adjacent pixels at a distance below one pixel are
    partly covered: the next one along the shorter direction and, if the line continues there, the next one along the
    longer direction.
    """
    extent = (end - start).abs()
    long, short = extent.amax(2, keepdim=True), extent.amin(2, keepdim=True)
    length = torch.sqrt((extent**2).sum(2, keepdim=True).double()).float().double().clamp_min_(1)
    step = torch.arange(2 * shorter(size) + 3, device=start.device).expand(*start.shape[:2], -1)
    aside = _aside(step, long, short)
    off = aside * long - step * short
    steps, asides = torch.stack((step, step, step + 1), 2), torch.stack((aside, aside + 1, aside), 2)
    gap = torch.stack((off, long + off, short - off), 2)
    onwards = step < long
    drawn = torch.stack((step <= long, onwards, onwards & (_aside(step + 1, long, short) > aside)), 2)
    drawn &= gap < length[:, :, None]
    return _painted(start, end, steps, asides, torch.where(drawn, 1.0 - gap.abs() / length[:, :, None], 0.0), size)


def _aside(step: Steps, long: Steps, short: Steps) -> Steps:
    """Position of the line along the shorter direction after a number of steps along the longer one."""
    return ((2 * step + 1) * short).div(2 * long.clamp_min(1), rounding_mode="floor")


def _painted(
    start: Points, end: Points, steps: Steps, asides: Steps, hidden: Float64[Tensor, "batch lines 3 steps"], size: Size
) -> Float64[Tensor, "batch lines height width 1"]:
    """Cover `hidden` at the pixels given by the steps along the longer and the shorter direction."""
    height, width = size
    extent = (end - start).abs()
    steep = (extent[..., 0] > extent[..., 1])[..., None, None]
    (row, column), (down, across) = start.unbind(2), torch.where(end > start, 1, -1).unbind(2)
    rows = row[..., None, None] + down[..., None, None] * torch.where(steep, steps, asides)
    columns = column[..., None, None] + across[..., None, None] * torch.where(steep, asides, steps)
    visible = (hidden > 0) & (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    index = torch.where(visible, rows * width + columns, height * width).flatten(2)  # the rest in an extra one
    cover = hidden.new_zeros((*index.shape[:2], height * width + 1))
    return cover.scatter_(2, index, hidden.flatten(2))[..., :-1].view(*index.shape[:2], height, width, 1)


LINES = Kernel(
    name="lines",
    severities={"cifar10": (0.5, 1.0, 1.5, 2.0, 2.5)},
    sample=_sample,
    apply=_apply,
)
