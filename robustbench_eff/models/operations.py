"""Floating-point operations of a network."""

from __future__ import annotations

import sys
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

    total = 0

    class Counter(TorchDispatchMode):
        @classmethod
        def _should_skip_dynamo(cls) -> bool:
            """Keep the compiler away only if it is there: torch imports it for that, which takes a second."""
            return "torch._dynamo" in sys.modules

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            nonlocal total
            answer = func(*args, **(kwargs or {}))
            if (count := flop_registry.get(func._overloadpacket)) is not None:
                total += int(count(*args, **(kwargs or {}), out_val=answer))
            return answer

    with Counter(), torch.no_grad():  # type: ignore[no-untyped-call]
        network(images)
    return total
