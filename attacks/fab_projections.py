"""The smallest move inside the pixel box that changes a linear function by a given amount. Used by FAB and FMN.

That is the projection onto a hyperplane intersected with [0, 1]^n of Croce & Hein 2020, arXiv:1907.02044, section 2.
Coordinate i gains |w_i| a unit and has so much room before it meets the box; of one multiplier t, how far it moves:
min(room, t) for L-infinity and min(room, t |w_i|) for L2, while L1 fills the steepest coordinates first.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from robustbench_eff.core.threat import LpNorm, room_ahead
from robustbench_eff.core.types import Images, PerSample

Coordinates = Float[Tensor, "batch coordinates"]
Column = Float[Tensor, "batch 1"]

L1_FIRST_COUNT, L1_GROWS_BY = 64, 8
"""How many of the steepest coordinates are looked at first, and how many times more when they do not suffice."""
MOST_ROUNDS = 200
"""Newton's method takes about five; a sum in floating point must not keep it busy for ever."""


def smallest_move(points: Images, normal: Images, gain: PerSample, norm: LpNorm) -> Images:
    """The shortest `move` in `norm` with <normal, move> = gain and points + move in [0, 1].

    Where the box does not allow that much: the move to its corner that gains most. Coordinates of which the linear
    function does not depend stay.
    """
    slope, clean = normal.flatten(1), points.flatten(1)
    tiny = torch.finfo(slope.dtype).tiny
    steep = slope.abs()
    scale = steep.amax(1, keepdim=True).clamp_min(tiny)  # so that no square underflows
    steep = steep / scale
    sign = slope.sign() * gain.sign()[:, None]
    room = room_ahead(sign, clean) * sign.abs()
    wanted = gain.abs()[:, None] / scale
    if norm == "linf":
        size = torch.minimum(room, meeting_time(room, steep * room, steep, wanted))
    elif norm == "l2":
        wall = room / steep.clamp_min(tiny)
        size = torch.minimum(room, steep * meeting_time(wall, steep * room, steep.square(), wanted))
    else:
        size = _steepest_first(steep, room, wanted)
    return (sign * size).view_as(points)


def meeting_time(wall: Coordinates, full: Coordinates, pace: Coordinates, wanted: Column) -> Column:
    """The t at which the sum of `full` where t >= wall and of t `pace` elsewhere is `wanted`; else a huge number.

    The sum is concave and piecewise linear in t, so that Newton's method from t = 0 climbs to the solution without
    ever passing it, and is there when a step meets no further wall. Each round is cheaper by far than sorting them.
    """
    time = torch.zeros_like(wanted)
    moving, stopped = torch.empty_like(wall), torch.empty_like(wall)
    count = torch.full_like(wanted, -1)
    for _ in range(MOST_ROUNDS):
        torch.gt(wall, time, out=moving)  # as numbers: selecting by masks takes ten times as long
        torch.le(wall, time, out=stopped)
        before, count = count, moving.sum(1, keepdim=True)
        if torch.equal(before, count):
            break
        left = wanted - (full * stopped).sum(1, keepdim=True)
        time = torch.maximum(time, left / (pace * moving).sum(1, keepdim=True).clamp_min(1e-30)).clamp_max(1e30)
    return time


def _steepest_first(steep: Coordinates, room: Coordinates, wanted: Column) -> Coordinates:
    """Coordinates moved to the wall in order of their steepness, the last one in part."""
    size = torch.zeros_like(room)
    rows = torch.arange(len(steep), device=steep.device)
    count = L1_FIRST_COUNT
    while len(rows):
        count = min(count, steep.shape[1])
        values, places = steep[rows].topk(count, dim=1)
        walls = room[rows].gather(1, places)
        gains = values * walls
        total = gains.cumsum(1)
        part = (wanted[rows] - (total - gains)) / values.clamp_min(torch.finfo(values.dtype).tiny)
        enough = (total[:, -1] >= wanted[rows, 0]) | (count == steep.shape[1])
        moved = torch.minimum(part.clamp_min(0), walls)[enough]
        size[rows[enough]] = size[rows[enough]].scatter(1, places[enough], moved)
        rows, count = rows[~enough], count * L1_GROWS_BY
    return size
