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

from .inner_maximization import Ascent, check_ascent, maximize_cross_entropy, random_start
from .network import Network
from .recipe import Recipe
from .training_batch import Batch

Where = Literal["everywhere", "backward", "attacker", "update"]


class SmoothBackwardReLU(nn.Module):
    """A ReLU whose gradient is that of a smooth activation while `smooth` is True."""

    def __init__(self, activation: nn.Module) -> None:
        """Make the layer.

        Args:
            activation: The smooth activation that provides the gradient.
        """
        super().__init__()
        self.activation = activation
        self.smooth = True

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the ReLU of the inputs.

        Args:
            inputs: Any tensor.
        """
        rectified = functional.relu(inputs)
        if not (self.smooth and torch.is_grad_enabled()):
            return rectified
        smooth: Tensor = self.activation(inputs)
        return rectified.detach() + (smooth - smooth.detach())


@dataclass(frozen=True, slots=True, kw_only=True)
class SmoothAdversarialTraining(Recipe):
    """Smooth adversarial training: adversarial training of a network without non-smooth activations.

    Every non-smooth activation is replaced by a smooth one, or gets the gradient of one.

    Source: Xie et al. 2020, arXiv:2006.14536: PGD-1 with a random start and steps of at least eps / steps; a fifth of
    the batches start at the clean image; in eval mode (cihangxie/SmoothAdversarialTraining 988c080). Smooth gradients
    alone: section 3.
    Differs: images are in [0, 1] here, not in [-1, 1]; eps and steps are scaled accordingly.
    """

    version: ClassVar[int] = 1
    has_usual_radius: ClassVar[bool] = True

    activation: str = "silu"
    """silu, gelu, elu, softplus, parametric_softplus, mish or smooth_relu; relu trains the network as it is."""
    where: Where = "everywhere"
    """`everywhere`: the activations themselves. Otherwise the network keeps its ReLUs, and has smooth gradients in
    every backward pass, or only in those of the attacker or of the update."""
    eps: float = 4 / 255
    """Radius of the ball in L-infinity, in units of [0, 1] pixels."""
    steps: int = 1
    """Number of gradient steps of the attack."""
    step_size: float = 1 / 255
    """Length of a step; at least eps / steps is used."""
    clean_start: float = 0.2
    """Share of the batches that are attacked from the clean images, not from a random point of the cube."""

    def __post_init__(self) -> None:
        check_ascent(self.eps, "linf", self.steps, self.step_size)
        activations.build_activation(self.activation)
        if self.activation == "relu" and self.where != "everywhere":
            raise SpecError("The gradient of relu is not smooth.", "Choose a smooth activation.")
        if not 0 <= self.clean_start <= 1:
            raise SpecError(f"clean_start must be from 0 to 1, got {self.clean_start:g}.")

    @property
    def passes(self) -> float:
        """The attack takes `steps` forward and backward passes, the update one of each."""
        return 2 * self.steps + 2

    @property
    def threat(self) -> Threat:
        """The L-infinity ball of radius `eps`."""
        return Threat("linf", self.eps)

    @property
    def exported_activation(self) -> str | None:
        """The smooth activation, unless only gradients are smooth."""
        return self.activation if self.where == "everywhere" and self.activation != "relu" else None

    def prepare(self, module: nn.Module) -> nn.Module:
        """Replace the activations, or their gradients.

        Args:
            module: The network to train.

        Raises:
            ModelError: The network does not have activations to replace, or has non-smooth ones other than ReLU where
                only gradients are to be smooth.
        """
        if self.activation == "relu":
            return module
        if self.where == "everywhere":
            activations.smooth_activations(module, self.activation)
            return module
        _replace_layers(module, nn.ReLU, lambda: SmoothBackwardReLU(activations.build_activation(self.activation)))
        if activations.replace_activations(copy.deepcopy(module), nn.ReLU):
            raise ModelError("Smooth gradients alone are for networks of ReLU, and this one has other kinks.")
        return module

    def export(self, trained: nn.Module) -> nn.Module:
        """Return the network, with its ReLUs if only their gradients were smooth.

        Args:
            trained: What `prepare` returned.
        """
        if self.where == "everywhere":
            return trained
        exported = copy.deepcopy(trained)
        _replace_layers(exported, SmoothBackwardReLU, nn.ReLU)
        return exported

    def losses(self, network: Network, batch: Batch) -> Iterator[Tensor]:
        """Yield the cross-entropy of the adversarial images.

        Args:
            network: The network in training.
            batch: Images and targets of the step.
        """
        start = batch.images
        if float(torch.rand((), generator=batch.generator("clean start"))) >= self.clean_start:
            start = random_start(start, batch.uniform("start"), self.threat)
        _set_smooth(network.module, self.where in ("backward", "attacker"))
        step_size = max(self.step_size, self.eps / self.steps)
        ascent = Ascent(threat=self.threat, steps=self.steps, step_size=step_size)
        adversarial = maximize_cross_entropy(network, batch, start, ascent)
        _set_smooth(network.module, self.where in ("backward", "update"))
        yield functional.cross_entropy(network(adversarial), batch.targets)


def _replace_layers(module: nn.Module, old: type[nn.Module], new: Callable[[], nn.Module]) -> None:
    """Replace every layer of exactly the type `old`; raises ModelError if there is none."""
    layers = [
        (parent, name) for parent in module.modules() for name, child in parent.named_children() if type(child) is old
    ]
    if not layers:
        raise ModelError(
            f"The network does not contain a {old.__name__}.", "Smooth gradients alone are for networks of ReLU."
        )
    for parent, name in layers:
        setattr(parent, name, new())


def _set_smooth(module: nn.Module, smooth: bool) -> None:
    for layer in module.modules():
        if isinstance(layer, SmoothBackwardReLU):
            layer.smooth = smooth
