"""Random starting points in the threat model's ball, drawn separately for each sample."""

from __future__ import annotations

import torch

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.threat import Threat, steepest_ascent
from robustbench_eff.core.types import Images


def in_the_ball(images: Images, threat: Threat, draws: RandomStreams, stream: str, step: int = 0) -> Images:
    """Return points that are uniform in the ball (L-infinity: in the cube), clipped to [0, 1].

    Args:
        images: Clean images, the centers of the balls.
        threat: The ball, in L-infinity, L2 or L1, of finite radius.
        draws: Random streams of the samples.
        stream: Name that the streams start with.
        step: Number of the draw within the stream, such as the restart.

    Returns:
        One point per image.

    Source: for L1, Barthe et al. 2005, arXiv:math/0503650: exponential draws divided by the sum of these and one
    more are uniform in the simplex.
    """
    shape = images.shape[1:]
    if threat.norm == "linf":
        uniform = draws.uniform(shape, stream=f"{stream}/start", step=step).to(images)
        return threat.project(images + threat.eps * (2 * uniform - 1), images)
    if threat.norm == "l2":
        direction = steepest_ascent(draws.normal(shape, stream=f"{stream}/direction", step=step).to(images), "l2")
        uniform = draws.uniform((1, 1, 1), stream=f"{stream}/radius", step=step).to(images)
        return threat.project(images + threat.eps * uniform ** (1 / shape.numel()) * direction, images)
    exponential = -torch.log1p(-draws.uniform(shape, stream=f"{stream}/start", step=step)).to(images)
    extra = -torch.log1p(-draws.uniform((1, 1, 1), stream=f"{stream}/radius", step=step)).to(images)
    sign = 2 * (draws.uniform(shape, stream=f"{stream}/sign", step=step).to(images) < 0.5) - 1
    total = exponential.sum((1, 2, 3), keepdim=True) + extra
    return threat.project(images + threat.eps * sign * exponential / total, images)


def on_the_surface(images: Images, threat: Threat, draws: RandomStreams, stream: str, step: int = 0) -> Images:
    """Return points at distance eps in random directions, clipped to [0, 1], as AutoAttack's APGD starts.

    L-infinity: uniform draws, scaled so that the largest is eps. L2: normal draws, scaled to length eps. L1: normal
    draws, projected onto the ball.

    Args:
        images: Clean images, the centers of the balls.
        threat: The ball, in L-infinity, L2 or L1, of finite radius.
        draws: Random streams of the samples.
        stream: Name that the streams start with.
        step: Number of the draw within the stream, such as the restart.

    Returns:
        One point per image.
    """
    shape = images.shape[1:]
    if threat.norm == "linf":
        uniform = 2 * draws.uniform(shape, stream=f"{stream}/start", step=step).to(images) - 1
        largest = uniform.abs().amax((1, 2, 3), keepdim=True)
        return threat.project(images + threat.eps * uniform / largest, images)
    normal = draws.normal(shape, stream=f"{stream}/start", step=step).to(images)
    if threat.norm == "l2":
        return threat.project(images + threat.eps * steepest_ascent(normal, "l2"), images)
    return threat.project(images + normal, images)
