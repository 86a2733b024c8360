"""The inner maximisation of adversarial training: gradient steps on any objective, in any mode of the network.

Not the attacks of an evaluation: those refuse a network in train mode, climb the cross-entropy of the prediction and
stop at a success; training goes through batch norms of its own and wants every step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
import torch.nn.functional as functional
from torch import Tensor

from robustbench_eff.core.errors import SpecError
from robustbench_eff.core.threat import Threat, steepest_ascent
from robustbench_eff.core.types import Images

from .network import Network
from .training_batch import Batch

Objective: TypeAlias = Callable[[Images], Tensor]
"""Images to a number that is to grow: a sum over samples, so that each has its own gradient."""


def ascend(
    objective: Objective, images: Images, start: Images, *, threat: Threat, steps: int, step_size: float
) -> Images:
    """`steps` steps of that length in the threat's norm, each projected into the ball around `images` and [0, 1].

    Source: Madry et al. 2018, arXiv:1706.06083, equation 1 of section 2.1.
    """
    current = start
    for _ in range(steps):
        current = current.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(objective(current), current)
        step = steepest_ascent(gradient, threat.norm)
        current = threat.project(torch.add(current.detach(), step, alpha=step_size), images)
    return current.detach()


def climb_cross_entropy(
    network: Network,
    batch: Batch,
    start: Images,
    *,
    threat: Threat,
    steps: int,
    step_size: float,
    mode: str = "eval",
    **options: Any,
) -> Images:
    """`ascend` on the cross-entropy with the labels, the network in `mode`; `options` go to its forward."""
    with network.attacked(mode):
        return ascend(
            lambda images: functional.cross_entropy(network(images, **options), batch.labels, reduction="sum"),
            batch.images,
            start,
            threat=threat,
            steps=steps,
            step_size=step_size,
        )


def in_the_cube(images: Images, uniform: Images, threat: Threat) -> Images:
    """Where the steps start: `uniform` numbers in [0, 1) spread over the cube of that radius, then projected."""
    return threat.project(torch.add(images, 2 * uniform - 1, alpha=threat.eps), images)


def check(eps: float, norm: str, steps: int, step_size: float | None) -> None:
    """SpecError for an attack that no recipe can make."""
    if norm not in ("linf", "l2"):
        raise SpecError(f"Training attacks are in linf or l2, got {norm!r}.")
    Threat(norm, eps)  # type: ignore[arg-type]
    if steps < 1:
        raise SpecError(f"steps must be >= 1, got {steps}.")
    if step_size is not None and not step_size > 0:
        raise SpecError(f"step_size must be > 0 in units of [0, 1] pixels, got {step_size:g}.")
