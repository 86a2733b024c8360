"""Backward pass differentiable approximation: an operation without a useful gradient gets the gradient of another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from robustbench_eff.core.errors import ModelError

Operation: TypeAlias = Callable[[Tensor], Tensor]


def bpda(function: Operation, backward: Operation | None = None) -> nn.Module:
    """Return a module that computes one function and has the gradient of another, so that attacks see through it.

    Use it around rounding, quantisation, JPEG and other operations whose own gradient is zero, random or missing:
    attacks that follow it find nothing, and the robustness that they report is false.

    Args:
        function: Computed in the forward pass, on a tensor that is detached from the graph, so that it may use NumPy.
            A module is registered as part of the result.
        backward: Differentiable function with the same output shape, whose gradient at the input takes the place of
            that of `function`. None takes the identity (straight-through), for functions that keep the shape.

    Returns:
        A module for use in `nn.Sequential` or in a forward method. Its output is exactly that of `function`.

    Raises:
        ModelError: In the forward pass, if `function` does not return a tensor; in the backward pass, if the shapes
            differ or `backward` is not differentiable.

    Source: Athalye, Carlini & Wagner 2018, arXiv:1802.00420, section 4.1; the identity is the straight-through
        estimator of Bengio, Léonard & Courville 2013, arXiv:1308.3432.
    """
    return _Substitution(function, backward)


class _Substitution(nn.Module):
    """The module that `bpda` returns."""

    def __init__(self, function: Operation, backward: Operation | None) -> None:
        super().__init__()
        self.function = function
        self.backward = backward

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the function's output.

        Args:
            inputs: Any tensor that the function takes.
        """
        output: Tensor = _Substituted.apply(inputs, self.function, self.backward)  # type: ignore[no-untyped-call]
        return output

    def extra_repr(self) -> str:
        """Return the names of the functions."""
        return f"{_name(self.function)}, backward={'identity' if self.backward is None else _name(self.backward)}"


class _Substituted(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, inputs: Tensor, function: Operation, backward: Operation | None) -> Tensor:
        with torch.no_grad():
            output = function(inputs.detach().clone())
        if not isinstance(output, Tensor):
            raise ModelError(
                f"bpda: {_name(function)} must return a tensor, got {type(output).__name__}.",
                "Convert NumPy arrays with torch.from_numpy.",
            )
        context.substitute, context.function, context.shape = backward, function, output.shape
        context.save_for_backward(inputs)
        return output

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (inputs,) = context.saved_tensors
        if context.substitute is None:
            if context.shape != inputs.shape:
                raise ModelError(
                    f"bpda: {_name(context.function)} turns shape {tuple(inputs.shape)} into {tuple(context.shape)}: "
                    "the identity cannot stand for its gradient.",
                    "Pass backward, a differentiable function with the same output shape.",
                )
            return gradient.to(inputs.dtype), None, None
        with torch.enable_grad():
            point = inputs.detach().requires_grad_(True)
            output = context.substitute(point)
            if not isinstance(output, Tensor) or output.shape != context.shape or not output.requires_grad:
                raise ModelError(
                    f"bpda: {_name(context.substitute)} must be differentiable and return shape "
                    f"{tuple(context.shape)}, as {_name(context.function)} does."
                )
            (substitute,) = torch.autograd.grad(output, point, gradient.to(output.dtype))
        return substitute, None, None


def _name(function: Operation) -> str:
    return getattr(function, "__name__", type(function).__name__)
