"""The inner maximization of adversarial training: projected gradient ascent on any objective, in either mode.

The attacks of an evaluation are not reused: they refuse a network in train mode, maximize the cross-entropy of the
prediction and stop at a success. Training uses auxiliary batch norms and needs every step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import torch
import torch.nn.functional as functional
from torch import Tensor

from robustbench_eff.core.errors import SpecError
from robustbench_eff.core.threat import Threat, steepest_ascent
from robustbench_eff.core.types import Images

from .network import Network
from .training_batch import Batch

Objective: TypeAlias = Callable[[Images], Tensor]
"""Maps images to the number to maximize: a sum over samples, so that every sample has its own gradient."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ascent:
    """The steps of a projected gradient ascent."""

    threat: Threat
    """Ball to project into; its norm also decides the direction of a step."""
    steps: int
    """Number of steps, at least 1."""
    step_size: float
    """Length of a step in the threat's norm, in units of [0, 1] pixels."""


def ascend(objective: Objective, images: Images, start: Images, ascent: Ascent) -> Images:
    """Return the result of projected gradient ascent, inside the ball around `images` and inside [0, 1].

    Args:
        objective: The function to maximize.
        images: Clean images in [0, 1], the centers of the balls.
        start: Images to start from.
        ascent: Threat model, number and length of the steps.

    Source:
        Madry et al. 2018, arXiv:1706.06083, equation 1 of section 2.1.
    """
    current = start
    for _ in range(ascent.steps):
        current = current.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(objective(current), current)
        step = steepest_ascent(gradient, ascent.threat.norm)
        current = ascent.threat.project(torch.add(current.detach(), step, alpha=ascent.step_size), images)
    return current.detach()


def maximize_cross_entropy(
    network: Network, batch: Batch, start: Images, ascent: Ascent, *, mode: str = "eval", branch: int | None = None
) -> Images:
    """Return adversarial images for a batch: `ascend` on the cross-entropy with the labels.

    Args:
        network: The network to attack; it is in train mode afterwards.
        batch: Clean images and their labels.
        start: Images to start from.
        ascent: Threat model, number and length of the steps.
        mode: Mode of the network during the attack, `eval` or `train`.
        branch: Set of batch norms to attack through; None for a network without auxiliary sets.
    """
    forward = network if branch is None else partial(network, branch=branch)

    def objective(images: Images) -> Tensor:
        return functional.cross_entropy(forward(images), batch.labels, reduction="sum")

    with network.attacked(mode):
        return ascend(objective, batch.images, start, ascent)


def random_start(images: Images, uniform: Images, threat: Threat) -> Images:
    """Return random points of the cube of radius eps around the images, projected into the threat model.

    Args:
        images: Clean images in [0, 1].
        uniform: Uniform random numbers in [0, 1) of the same shape.
        threat: The threat model.
    """
    return threat.project(torch.add(images, 2 * uniform - 1, alpha=threat.eps), images)


def check_ascent(eps: float, norm: str, steps: int, step_size: float | None) -> None:
    """Check the attack fields of a recipe.

    Args:
        eps: Radius of the ball, in units of [0, 1] pixels.
        norm: Norm of the ball.
        steps: Number of gradient steps.
        step_size: Length of a step; None if the recipe derives it.

    Raises:
        SpecError: The norm is not linf or l2, or one of the numbers is out of range.
    """
    if norm not in ("linf", "l2"):
        raise SpecError(f"Training attacks are in linf or l2, got {norm!r}.")
    Threat(norm, eps)  # type: ignore[arg-type]
    if steps < 1:
        raise SpecError(f"steps must be >= 1, got {steps}.")
    if step_size is not None and not step_size > 0:
        raise SpecError(f"step_size must be > 0 in units of [0, 1] pixels, got {step_size:g}.")
