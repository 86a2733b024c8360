"""Square Attack's starts and moves: stripes and squares in L-infinity, bumps in L2 and L1.

Source: Andriushchenko et al. 2020, arXiv:1912.00049; for L1 Croce & Hein 2021, arXiv:2103.01208; as in
pyautoattack 0.2.0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import torch
import torch.nn.functional as functional
from jaxtyping import Float
from torch import Tensor

from robustbench_eff.core.fused import fused
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.threat import Threat, room_ahead
from robustbench_eff.core.types import Images

from .square_windows import WindowLayout, Windows, two_bumps, windows_at

TILES = 5
"""Number of bumps along each side of the image at the start in L2 and L1."""
NEWTON_STEPS = 6
"""Newton steps for the threshold of L1's soft thresholding."""

Numbers: TypeAlias = Float[Tensor, "batch numbers"]
"""Uniform random numbers in [0, 1) that determine one step of each sample."""
Move: TypeAlias = Callable[[Images, Images, Numbers], Images]
"""Maps the best images so far, the clean images and the numbers of a step to the images to query."""


def start(clean: Images, threat: Threat, draws: RandomStreams, step: int) -> Images:
    """Return the first images to query: stripes in L-infinity, tiles of bumps in L2 and L1.

    The vertical stripes are +-eps; the tiles have random signs and are scaled (L2) or projected (L1) to the ball.

    Args:
        clean: Clean images.
        threat: The ball, in L-infinity, L2 or L1.
        draws: Random streams of the samples.
        step: Number of the restart.
    """
    count, channels, height, width = clean.shape
    if threat.norm == "linf":
        sign = _signs(draws.uniform((channels, 1, width), stream="square/start", step=step).to(clean))
        return threat.project(clean + threat.eps * sign, clean)
    side = max(1, min(height, width) // TILES)
    down, across = height // side, width // side
    uniform = draws.uniform((1 + channels, down, across, 1, 1), stream="square/start", step=step).to(clean)
    bumps = two_bumps(side, "l2" if threat.norm == "l2" else "l1", clean)
    tiles = torch.where(uniform[:, :1] < 0.5, bumps, bumps.T) * _signs(uniform[:, 1:])
    tiles = tiles.permute(0, 1, 2, 4, 3, 5).reshape(count, channels, down * side, across * side)
    rest_down, rest_across = height - down * side, width - across * side
    top, left = rest_down // 2, rest_across // 2
    delta = functional.pad(tiles, (left, rest_across - left, top, rest_down - top))
    return _on_the_ball(delta, clean, threat)


def numbers_per_step(threat: Threat, channels: int) -> int:
    """Return how many random numbers one step of one sample needs.

    Args:
        threat: The ball, in L-infinity, L2 or L1.
        channels: Number of channels of the images.
    """
    return channels + (2 if threat.norm == "linf" else 5)


def move(threat: Threat, side: int, images: Images) -> Move:
    """Return the move for windows of a given size.

    Args:
        threat: The ball, in L-infinity, L2 or L1.
        side: Side of the windows, in pixels.
        images: Images of the size and on the device of those to attack.
    """
    if threat.norm == "linf":
        return _Square(threat.eps, Windows(side, images))
    return _Bumps(threat, side, images)


class BumpSettings(NamedTuple):
    """Constants of the moves of bumps of one size."""

    threat: Threat
    layout: WindowLayout
    upright: Tensor
    """The two bumps, flattened."""
    turned: Tensor
    """The same, turned by 90 degrees."""


class _Square:
    """Fills the window with one color, +-eps in each channel."""

    def __init__(self, eps: float, windows: Windows) -> None:
        self._eps, self._windows = eps, windows

    def __call__(self, best: Images, clean: Images, numbers: Numbers) -> Images:
        return _painted(best, clean, numbers, self._windows.layout, self._eps)


@fused
def _painted(best: Images, clean: Images, numbers: Numbers, layout: WindowLayout, eps: float) -> Images:
    window = windows_at(numbers[:, :2], layout)
    inside = clean.flatten(1).gather(1, window).unflatten(1, layout.shape)
    square = torch.add(inside, _signs(numbers[:, 2:, None]), alpha=eps).clamp_(0.0, 1.0)
    return best.flatten(1).scatter(1, window, square.flatten(1)).view_as(best)


@fused
def _bumped(best: Images, clean: Images, numbers: Numbers, given: BumpSettings) -> Images:
    threat, layout = given.threat, given.layout
    order, shape = 2 if threat.norm == "l2" else 1, layout.shape
    window, emptied = windows_at(numbers[:, :2], layout), windows_at(numbers[:, 2:4], layout)
    delta = (best - clean).flatten(1)
    unspent = (threat.eps**order - _power(delta, order)).clamp_min(0)[..., None]
    old = delta.gather(1, window).unflatten(1, shape)
    delta.scatter_(1, window, 0)
    spent = _power(old, order) + _power(delta.gather(1, emptied).unflatten(1, shape), order)
    delta.scatter_(1, emptied, 0)
    bumps = torch.where(numbers[:, 4, None, None] < 0.5, given.upright, given.turned)
    new = bumps * _signs(numbers[:, 5:, None]) + old / (1e-12 + _root(_power(old, order), order))
    # In L1 the channels together get more than is available, as in the reference; the projection removes it.
    share = unspent / shape[0] + spent if order == 2 else unspent + shape[0] * spent
    new = new * (_root(share, order) / (1e-12 + _root(_power(new, order), order)))
    delta.scatter_(1, window, new.flatten(1))
    return _on_the_ball(delta.view_as(clean), clean, threat)


class _Bumps:
    """Moves the perturbation of another window into this one, and adds two new bumps."""

    def __init__(self, threat: Threat, side: int, images: Images) -> None:
        bumps = two_bumps(side, "l2" if threat.norm == "l2" else "l1", images)
        self._given = BumpSettings(threat, Windows(side, images).layout, bumps.flatten(), bumps.T.flatten())

    def __call__(self, best: Images, clean: Images, numbers: Numbers) -> Images:
        return _bumped(best, clean, numbers, self._given)


def _on_the_ball(delta: Images, clean: Images, threat: Threat) -> Images:
    """L2: scale to length eps, then clip to [0, 1]; L1: approximate the projection onto the ball and the box."""
    if threat.norm == "l2":
        length = _power(delta.flatten(1), 2).sqrt()[..., None, None]
        return torch.addcmul(clean, delta, threat.eps / (1e-12 + length)).clamp_(0.0, 1.0)
    return torch.addcmul(clean, *_shrunk(delta, clean, threat.eps)).clamp_(0.0, 1.0)


def _shrunk(delta: Images, clean: Images, eps: float) -> tuple[Images, Tensor]:
    """Return a perturbation and a factor whose product approximates the projection onto the L1 ball and the box.

    The threshold of soft thresholding grows by Newton steps that count capped coordinates as decreasing too, so that
    none overshoots; the length that remains above eps is removed by the factor. This is several times cheaper than
    Threat.project, which would dominate the cost of a query.
    """
    size, room = delta.abs(), room_ahead(delta, clean)
    inside = torch.minimum(size, room)
    threshold = torch.zeros_like(size[:, :1, :1, :1])
    for _ in range(NEWTON_STEPS):
        length = inside.sum((1, 2, 3), keepdim=True)
        threshold += (length - eps).clamp_min_(0) / inside.sign().sum((1, 2, 3), keepdim=True).clamp_min_(1)
        torch.sub(size, threshold, out=inside)
        torch.minimum(inside.clamp_min_(0), room, out=inside)
    length = inside.sum((1, 2, 3), keepdim=True)
    return inside.copysign_(delta), (eps * (1 - 1e-6) / length.clamp_min(eps))


def _power(delta: Tensor, order: int) -> Tensor:
    """Return the norm along the last dimension to the power `order`, keeping the dimension."""
    return (delta.square() if order == 2 else delta.abs()).sum(-1, keepdim=True)


def _root(power: Tensor, order: int) -> Tensor:
    return power.sqrt() if order == 2 else power


def _signs(uniform: Tensor) -> Tensor:
    return torch.where(uniform < 0.5, -1.0, 1.0).to(uniform)
