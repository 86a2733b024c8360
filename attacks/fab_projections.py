"""The smallest move inside the pixel box that changes a linear function by a given amount. Used by FAB and FMN.

This is the projection onto a hyperplane intersected with [0, 1]^n of Croce & Hein 2020, arXiv:1907.02044, section 2.
Coordinate i gains |w_i| per unit and has a limited room before it meets the box. It moves by a function of one
multiplier t: min(room, t) for L-infinity and min(room, t |w_i|) for L2; L1 fills the steepest coordinates first.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from robustbench_eff.core.accelerators import steps_between_readings
from robustbench_eff.core.threat import LpNorm, room_ahead
from robustbench_eff.core.types import Images, PerSample

Coordinates = Float[Tensor, "batch coordinates"]
Column = Float[Tensor, "batch 1"]

L1_FIRST_COUNT, L1_GROWS_BY = 64, 8
"""Number of steepest coordinates to try first, and the factor by which it grows when they do not suffice."""
MAX_ROUNDS = 200
"""Bound on Newton's iterations, of which about five are needed, in case rounding prevents convergence."""


def smallest_move(points: Images, normal: Images, gain: PerSample, norm: LpNorm) -> Images:
    """Return the shortest `move` with <normal, move> = gain and points + move in [0, 1].

    Where the box does not allow that gain, the move leads to the corner with the largest gain. Coordinates on which
    the linear function does not depend do not move.

    Args:
        points: Images in [0, 1].
        normal: Gradient of the linear function of each image.
        gain: Change of the linear function, positive or negative.
        norm: Norm in which the move is shortest.
    """
    slope, clean = normal.flatten(1), points.flatten(1)
    tiny = torch.finfo(slope.dtype).tiny
    steep = slope.abs()
    scale = steep.amax(1, keepdim=True).clamp_min(tiny)  # so that no square underflows
    steep = steep / scale
    sign = slope.sign() * gain.sign()[:, None]
    room = room_ahead(sign, clean) * sign.abs()
    target = gain.abs()[:, None] / scale
    if norm == "linf":
        size = torch.minimum(room, meeting_time(room, steep * room, steep, target))
    elif norm == "l2":
        wall = room / steep.clamp_min(tiny)
        size = torch.minimum(room, steep * meeting_time(wall, steep * room, steep.square(), target))
    else:
        size = _steepest_first(steep, room, target)
    return (sign * size).view_as(points)


def meeting_time(wall: Coordinates, full: Coordinates, pace: Coordinates, target: Column) -> Column:
    """Return the t at which the sum over coordinates, of `full` where t >= wall and of t `pace` elsewhere, is `target`.

    The sum is concave and piecewise linear in t, so Newton's method from t = 0 increases to the solution without
    passing it, and has arrived when a step meets no further wall. Each round is far cheaper than sorting the walls.

    Args:
        wall: The t >= 0 at which each coordinate stops.
        full: Contribution of each coordinate after it stopped.
        pace: Contribution of each moving coordinate per unit of t.
        target: Value of the sum, >= 0.

    Returns:
        The solution t; a huge number where the sum never reaches `target`.
    """
    time = torch.zeros_like(target)
    moving, stopped = torch.empty_like(wall), torch.empty_like(wall)
    count = torch.full_like(target, -1)
    interval = steps_between_readings(wall.device)
    for number in range(1, MAX_ROUNDS + 1):
        torch.gt(wall, time, out=moving)  # as numbers: selecting by masks takes ten times as long
        torch.le(wall, time, out=stopped)
        previous, count = count, moving.sum(1, keepdim=True)
        if number % interval == 0 and torch.equal(previous, count):  # further rounds change nothing
            break
        remaining = target - (full * stopped).sum(1, keepdim=True)
        time = torch.maximum(time, remaining / (pace * moving).sum(1, keepdim=True).clamp_min(1e-30)).clamp_max(1e30)
    return time


def _steepest_first(steep: Coordinates, room: Coordinates, target: Column) -> Coordinates:
    """Move coordinates to the wall in order of their steepness, the last one partially."""
    size = torch.zeros_like(room)
    rows = torch.arange(len(steep), device=steep.device)
    count = L1_FIRST_COUNT
    while len(rows):
        count = min(count, steep.shape[1])
        values, coordinates = steep[rows].topk(count, dim=1)
        walls = room[rows].gather(1, coordinates)
        gains = values * walls
        total = gains.cumsum(1)
        partial = (target[rows] - (total - gains)) / values.clamp_min(torch.finfo(values.dtype).tiny)
        enough = (total[:, -1] >= target[rows, 0]) | (count == steep.shape[1])
        moved = torch.minimum(partial.clamp_min(0), walls)[enough]
        size[rows[enough]] = size[rows[enough]].scatter(1, coordinates[enough], moved)
        rows, count = rows[~enough], count * L1_GROWS_BY
    return size
