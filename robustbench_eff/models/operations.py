"""Floating-point operations of a network."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


def count_operations(network: nn.Module, images: Tensor) -> int:
    """Return the floating-point operations of a forward pass, matrix products and convolutions only.

    torch's own FlopCounterMode also tracks modules, by hooks that fail where a network computes a gradient itself.

    Args:
        network: Network.
        images: Its input.
    """
    counter = _Counter()  # type: ignore[no-untyped-call]
    with counter, torch.no_grad():
        network(images)
    return counter.total


class _Counter(TorchDispatchMode):
    total: int = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        answer = func(*args, **(kwargs or {}))
        if (count := flop_registry.get(func._overloadpacket)) is not None:
            self.total += int(count(*args, **(kwargs or {}), out_val=answer))
        return answer
