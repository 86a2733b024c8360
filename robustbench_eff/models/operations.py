"""Floating-point operations of a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode


def count_operations(network: nn.Module, images: Tensor) -> int:
    """Return the floating-point operations of a forward pass, matrix products and convolutions only.

    torch's own FlopCounterMode also tracks modules, by hooks that fail where a network computes a gradient itself.

    Args:
        network: Network.
        images: Its input.
    """
    from torch.utils.flop_counter import flop_registry  # imports triton

    counter = _Counter(flop_registry)
    with counter, torch.no_grad():
        network(images)
    return counter.total


class _Counter(TorchDispatchMode):
    def __init__(self, registry: Mapping[Any, Callable[..., int]]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.registry = registry
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        answer = func(*args, **(kwargs or {}))
        if (count := self.registry.get(func._overloadpacket)) is not None:
            self.total += int(count(*args, **(kwargs or {}), out_val=answer))
        return answer
