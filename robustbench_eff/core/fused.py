"""Element-wise arithmetic as one function of the compiler on a GPU, where every operation by itself is a kernel."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import update_wrapper
from typing import Generic, ParamSpec, TypeVar

import torch
from torch import Tensor

from .errors import RobustEvalWarning, reason

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

COMPILED_ON: tuple[str, ...] = ("cuda",)
"""Devices on which functions are compiled: a CPU has no launches to save, and compiles for seconds."""


def compiles_on(device: torch.device) -> bool:
    """Return whether arithmetic on a device is compiled.

    Args:
        device: Device of the tensors.
    """
    return device.type in COMPILED_ON


class Fused(Generic[Arguments, Result]):
    """A function that is compiled at its first call on a GPU; `plain` is the function itself.

    Compiled arithmetic may round differently, as arithmetic on a GPU does anyway. Where the compiler is missing or
    fails, the function runs as it is, and a warning says so.
    """

    def __init__(self, function: Callable[Arguments, Result]) -> None:
        """Wrap a function.

        Args:
            function: A function of tensors, the first argument, which reads none of their values, and of constants.
        """
        self.plain = function
        self._compiled: Callable[Arguments, Result] | None = None
        update_wrapper(self, function)

    def __call__(self, *arguments: Arguments.args, **named: Arguments.kwargs) -> Result:
        """Return what the function returns."""
        first = arguments[0]
        if isinstance(first, Tensor) and compiles_on(first.device):
            return self.compiled(*arguments, **named)
        return self.plain(*arguments, **named)

    def compiled(self, *arguments: Arguments.args, **named: Arguments.kwargs) -> Result:
        """Return what the compiled function returns; from the compiler's first failure on, the plain one."""
        from torch._dynamo.exc import TorchDynamoException  # imported where it is used: it takes a second

        if self._compiled is None:
            self._compiled = torch.compile(self.plain, dynamic=True)
        try:
            return self._compiled(*arguments, **named)
        except TorchDynamoException as error:
            name = getattr(self.plain, "__name__", "a function")
            warnings.warn(
                f"torch.compile fails on {name} ({reason(error)}): steps of attacks take more kernels.",
                RobustEvalWarning,
                stacklevel=2,
            )
            self._compiled = self.plain
            return self.plain(*arguments, **named)


def fused(function: Callable[Arguments, Result]) -> Fused[Arguments, Result]:
    """Decorate a function of tensors and constants, to be compiled on a GPU; see `Fused`.

    Args:
        function: The function.
    """
    return Fused(function)
