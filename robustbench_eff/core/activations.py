"""Activations by name, smooth ones above all, and their replacement in a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor, nn

from .errors import ModelError, SpecError, did_you_mean
from .types import Images


class SmoothReLU(nn.Module):
    """x - log(a x + 1) / a for x > 0, else 0, with one learned a > 0 per layer.

    Source: Xie et al. 2020, arXiv:2006.14536, section 5.1; a is the square of a parameter that begins at 20, as in
    cihangxie/SmoothAdversarialTraining 988c080.
    """

    def __init__(self) -> None:
        super().__init__()
        self.root = nn.Parameter(torch.tensor(20.0))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the activations, of the same shape.

        Args:
            inputs: Tensor of any shape.
        """
        above, sharpness = inputs.clamp_min(0), self.root.square()
        return above - torch.log1p(sharpness * above) / sharpness


class ParametricSoftplus(nn.Module):
    """log(1 + exp(a x)) / a.

    Source: Xie et al. 2020, arXiv:2006.14536, equation 3; a = 10 is unverified.
    """

    def __init__(self, sharpness: float = 10.0) -> None:
        """Build the activation.

        Args:
            sharpness: The constant a, greater than 0.
        """
        super().__init__()
        self.sharpness = sharpness

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the activations, of the same shape.

        Args:
            inputs: Tensor of any shape.
        """
        return nn.functional.softplus(inputs, beta=self.sharpness)


SMOOTH: Mapping[str, Callable[[], nn.Module]] = {
    "silu": nn.SiLU,
    "gelu": partial(nn.GELU, approximate="tanh"),
    "elu": nn.ELU,
    "softplus": nn.Softplus,
    "parametric_softplus": ParametricSoftplus,
    "mish": nn.Mish,
    "smooth_relu": SmoothReLU,
}
"""Continuously differentiable activations by name; ELU is one at its default alpha of 1."""
ACTIVATIONS: Mapping[str, Callable[[], nn.Module]] = {"relu": nn.ReLU, **SMOOTH}
"""All activations by name."""
NON_SMOOTH = {"relu", "relu6", "leakyrelu", "prelu", "hardswish", "hardtanh", "hardmish", "threshold"}
"""Class names of modules with a kink, in lower case and without the suffixes that libraries add."""
NON_SMOOTH_GATES = {"hardsigmoid": nn.Sigmoid}
"""Class names of gates with a kink, and their replacements."""
_NON_SMOOTH_OPERATIONS = ("Relu", "Hardtanh", "Hardswish", "LeakyRelu", "Prelu", "Hardsigmoid", "Threshold")


def build_activation(name: str) -> nn.Module:
    """Return a new activation.

    Args:
        name: One of `ACTIVATIONS`.

    Raises:
        SpecError: The name is unknown.
    """
    if name not in ACTIVATIONS:
        raise SpecError(
            f"Unknown activation {name!r}.", did_you_mean(name, ACTIVATIONS) or f"Known: {', '.join(ACTIVATIONS)}."
        )
    return ACTIVATIONS[name]()


def replace_activations(module: nn.Module, build: Callable[[], nn.Module]) -> int:
    """Replace every activation module with a kink in place; hard sigmoid gates become sigmoids.

    Activations that a forward pass calls as functions cannot be replaced: check with `nonsmooth_ops` afterwards.

    Args:
        module: Network to change.
        build: Function that returns a new activation.

    Returns:
        The number of replaced modules.
    """
    replaced = 0
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            kind = type(child).__name__.lower().removesuffix("jit").removesuffix("me")
            if kind in NON_SMOOTH or kind in NON_SMOOTH_GATES:
                new = NON_SMOOTH_GATES[kind]() if kind in NON_SMOOTH_GATES else build()
                tensor = next(module.parameters(), None)
                setattr(parent, name, new if tensor is None else new.to(tensor.device, tensor.dtype))
                new.train(child.training)
                replaced += 1
    return replaced


def nonsmooth_ops(module: nn.Module, images: Images) -> set[str]:
    """Return the operations with a kink that a network's output depends on, by their names in autograd.

    Args:
        module: Network.
        images: Images for one forward pass.
    """
    with torch.enable_grad():
        output = module(images.detach().requires_grad_())
    operations, visited, open_nodes = set(), set(), [output.grad_fn]
    while open_nodes:
        node = open_nodes.pop()
        if node is None or node in visited:
            continue
        visited.add(node)
        if node.name().startswith(_NON_SMOOTH_OPERATIONS):
            operations.add(node.name())
        open_nodes.extend(parent for parent, _ in node.next_functions)
    return operations


def smooth_activations(module: nn.Module, name: str) -> None:
    """Replace every activation with a kink by a smooth one, in place.

    Args:
        module: Network to change.
        name: One of `SMOOTH`.

    Raises:
        SpecError: The name is unknown, or its activation is not smooth.
        ModelError: The network does not contain an activation module with a kink.
    """
    build_activation(name)
    if name not in SMOOTH:
        raise SpecError(f"{name} is not smooth.", f"Smooth are {', '.join(SMOOTH)}.")
    if not replace_activations(module, SMOOTH[name]):
        raise ModelError(
            "The network does not contain an activation with a kink.", "Is it smooth already, as EfficientNet?"
        )
