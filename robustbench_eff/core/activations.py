"""Activations by name, smooth ones above all, and the exchange of those a network came with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor, nn

from .errors import ModelError, SpecError, did_you_mean
from .types import Images


class SmoothReLU(nn.Module):
    """x - log(a x + 1) / a above zero, else 0, with one learned a > 0 a layer.

    Source: Xie et al. 2020, arXiv:2006.14536, section 5.1; a is the square of a parameter that begins at 20, as in
    cihangxie/SmoothAdversarialTraining 988c080.
    """

    def __init__(self) -> None:
        super().__init__()
        self.root = nn.Parameter(torch.tensor(20.0))

    def forward(self, inputs: Tensor) -> Tensor:
        above, sharpness = inputs.clamp_min(0), self.root.square()
        return above - torch.log1p(sharpness * above) / sharpness


class ParametricSoftplus(nn.Module):
    """log(1 + exp(a x)) / a.

    Source: Xie et al. 2020, arXiv:2006.14536, equation 3; a = 10 is unverified.
    """

    def __init__(self, sharpness: float = 10.0) -> None:
        super().__init__()
        self.sharpness = sharpness

    def forward(self, inputs: Tensor) -> Tensor:
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
"""Continuously differentiable; ELU is so at its default alpha of 1."""
ACTIVATIONS: Mapping[str, Callable[[], nn.Module]] = {"relu": nn.ReLU, **SMOOTH}
NON_SMOOTH = {"relu", "relu6", "leakyrelu", "prelu", "hardswish", "hardtanh", "hardmish", "threshold"}
"""Names of modules with a kink, in lower case and without what libraries add to them."""
NON_SMOOTH_GATES = {"hardsigmoid": nn.Sigmoid}
"""Gates with a kink, and what takes their place."""
_ROUGH_OPERATIONS = ("Relu", "Hardtanh", "Hardswish", "LeakyRelu", "Prelu", "Hardsigmoid", "Threshold")


def build_activation(name: str) -> nn.Module:
    """A new activation of that name; SpecError for an unknown one."""
    if name not in ACTIVATIONS:
        raise SpecError(
            f"Unknown activation {name!r}.", did_you_mean(name, ACTIVATIONS) or f"Known: {', '.join(ACTIVATIONS)}."
        )
    return ACTIVATIONS[name]()


def replace_activations(module: nn.Module, build: Callable[[], nn.Module]) -> int:
    """Put a new activation in the place of every one with a kink; hard gates become sigmoids. Returns how many.

    In place. What a forward calls as a function cannot be replaced: ask `kinks` afterwards.
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
    """Operations with a kink that the network's output depends on, by the names autograd has for them."""
    with torch.enable_grad():
        output = module(images.detach().requires_grad_())
    found, seen, open_nodes = set(), set(), [output.grad_fn]
    while open_nodes:
        node = open_nodes.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if node.name().startswith(_ROUGH_OPERATIONS):
            found.add(node.name())
        open_nodes.extend(parent for parent, _ in node.next_functions)
    return found


def smooth_activations(module: nn.Module, name: str) -> None:
    """Replace every activation with a kink by the smooth one of that name, in place.

    Raises SpecError for a name that is unknown or not smooth, ModelError where there is nothing to replace.
    """
    build_activation(name)
    if name not in SMOOTH:
        raise SpecError(f"{name} is not smooth.", f"Smooth are {', '.join(SMOOTH)}.")
    if not replace_activations(module, SMOOTH[name]):
        raise ModelError(
            "The network has no activation with a kink to replace.", "Is it smooth already, as EfficientNet?"
        )
