"""Smooth adversarial training."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from robustbench_eff.core import activations
from robustbench_eff.core.errors import ModelError, SpecError
from robustbench_eff.core.threat import Threat

from . import inner_maximization
from .network import Network
from .recipe import Recipe
from .training_batch import Batch

Where = Literal["everywhere", "backward", "attacker", "update"]


class SmoothBackwardReLU(nn.Module):
    """ReLU whose gradient is that of a smooth activation while `smooth` is set."""

    def __init__(self, activation: nn.Module) -> None:
        super().__init__()
        self.activation = activation
        self.smooth = True

    def forward(self, inputs: Tensor) -> Tensor:
        rough = functional.relu(inputs)
        if not (self.smooth and torch.is_grad_enabled()):
            return rough
        smooth: Tensor = self.activation(inputs)
        return rough.detach() + (smooth - smooth.detach())


@dataclass(frozen=True, slots=True, kw_only=True)
class SmoothAdversarialTraining(Recipe):
    """Adversarial training of a network whose every activation with a kink is replaced by a smooth one, or gives the
    gradients of one.

    Source: Xie et al. 2020, arXiv:2006.14536: PGD-1 with a random start and steps of at least eps / steps; a fifth of
    the batches start at the clean image; in eval mode (cihangxie/SmoothAdversarialTraining 988c080). Gradients alone:
    section 3.
    Differs: images are in [0, 1] here, not in [-1, 1]; eps and steps are scaled accordingly.
    """

    version: ClassVar[int] = 1
    adversarial: ClassVar[bool] = True

    activation: str = "silu"
    """silu, gelu, elu, softplus, parametric_softplus, mish or smooth_relu; relu trains the network as it is."""
    where: Where = "everywhere"
    """`everywhere`: the activations themselves. Otherwise the network keeps its ReLUs, and has smooth gradients in
    every backward pass, or only in those of the attacker or of the update."""
    eps: float = 4 / 255
    """Radius of the ball in L-infinity, in units of [0, 1] pixels."""
    steps: int = 1
    step_size: float = 1 / 255
    """At least eps / steps is taken."""
    clean_start: float = 0.2
    """Share of the batches that are attacked from the clean images, not from a random point of the cube."""

    def __post_init__(self) -> None:
        inner_maximization.check(self.eps, "linf", self.steps, self.step_size)
        activations.build_activation(self.activation)
        if self.activation == "relu" and self.where != "everywhere":
            raise SpecError("The gradient of relu is no smooth one.", "Choose a smooth activation.")
        if not 0 <= self.clean_start <= 1:
            raise SpecError(f"clean_start must be from 0 to 1, got {self.clean_start:g}.")

    @property
    def passes(self) -> float:
        return 2 * self.steps + 2

    def prepare(self, module: nn.Module) -> nn.Module:
        if self.activation == "relu":
            return module
        if self.where == "everywhere":
            activations.smooth_activations(module, self.activation)
            return module
        _exchange(module, nn.ReLU, lambda: SmoothBackwardReLU(activations.build_activation(self.activation)))
        if activations.replace_activations(copy.deepcopy(module), nn.ReLU):
            raise ModelError("Smooth gradients alone are for networks of ReLU, and this one has other kinks.")
        return module

    def export(self, trained: nn.Module) -> nn.Module:
        if self.where == "everywhere":
            return trained
        kept = copy.deepcopy(trained)
        _exchange(kept, SmoothBackwardReLU, nn.ReLU)
        return kept

    def losses(self, network: Network, batch: Batch) -> Iterator[Tensor]:
        threat, start = Threat("linf", self.eps), batch.images
        if float(torch.rand((), generator=batch.generator("clean start"))) >= self.clean_start:
            start = inner_maximization.in_the_cube(start, batch.uniform("start"), threat)
        _set_smooth(network.module, self.where in ("backward", "attacker"))
        step_size = max(self.step_size, self.eps / self.steps)
        attacked = inner_maximization.climb_cross_entropy(
            network, batch, start, threat=threat, steps=self.steps, step_size=step_size
        )
        _set_smooth(network.module, self.where in ("backward", "update"))
        yield functional.cross_entropy(network(attacked), batch.targets)


def _exchange(module: nn.Module, old: type[nn.Module], new: Callable[[], nn.Module]) -> None:
    """Put a new part in the place of every one of that very type; ModelError where there is none."""
    found = [
        (parent, name) for parent in module.modules() for name, child in parent.named_children() if type(child) is old
    ]
    if not found:
        raise ModelError(f"The network has no {old.__name__}.", "Smooth gradients alone are for networks of ReLU.")
    for parent, name in found:
        setattr(parent, name, new())


def _set_smooth(module: nn.Module, smooth: bool) -> None:
    for part in module.modules():
        if isinstance(part, SmoothBackwardReLU):
            part.smooth = smooth
