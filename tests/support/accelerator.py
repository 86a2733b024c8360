"""A device that is none: its tensors lie in the memory of the CPU, say otherwise, and refuse to meet those that do not.

What runs on it runs on a GPU as far as the place of tensors goes. Its numbers are the CPU's, so outcomes must be too.
`install` changes torch for as long as the process lives.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.utils import backend_registration
from torch.utils._pytree import tree_leaves, tree_map

NAME = "elsewhere"
DEVICE = f"{NAME}:0"
MOVING = ("_to_copy", "copy_", "lift_fresh")
"""Operations whose tensors may lie on two devices."""
INDEXING = ("index", "index_put", "index_put_", "_index_put_impl_")
"""Operations that take positions from the CPU too, and move them."""
AT_ONCE = (
    *("arange", "arange.start", "arange.start_step", "linspace", "eye", "randperm", "fft_fftfreq", "fft_rfftfreq"),
    "silu_backward",
)
"""Operations that torch would carry out in parts, by changing the shape of an empty tensor or with other roundings."""

WATCHERS: list[Callable[[str, Any, Any, bool], None]] = []
"""Told of every operation on the device: its name, itself, its arguments, and whether its answer is on the device."""


class There(torch.Tensor):
    """A tensor on the device; its numbers are in `held`, which is on the CPU."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> There:
        there: There = torch.Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=torch.device(DEVICE),
        )
        there.held = held
        return there

    @classmethod
    def __torch_dispatch__(cls, operation: Any, types: Any, arguments: Any = (), named: Any = None) -> Any:
        return carried_out(operation, *arguments, **(named or {}))

    def tolist(self) -> Any:
        """As of any tensor; torch has it for its own classes only."""
        for watcher in WATCHERS:
            watcher("tolist", None, (self,), False)
        return self.held.tolist()

    def numpy(self, *, force: bool = False) -> np.ndarray:
        """Refused, as a GPU refuses it."""
        raise TypeError(f"a tensor on {DEVICE} has no array of NumPy")


def carried_out(operation: Any, *arguments: Any, **named: Any) -> Any:
    """What an operation gives, on the device where it was asked for there or where its tensors are.

    Raises RuntimeError where tensors with a shape lie on two devices.
    """
    tensors = [leaf for leaf in tree_leaves((arguments, named)) if isinstance(leaf, torch.Tensor)]
    there = [tensor for tensor in tensors if isinstance(tensor, There)]
    name = operation.overloadpacket.__name__
    positions = tree_leaves(arguments[1]) if name in INDEXING else []
    others = [
        tuple(tensor.shape)
        for tensor in tensors
        if tensor.ndim and not isinstance(tensor, There) and not any(tensor is place for place in positions)
    ]
    if there and others and name not in MOVING:
        raise RuntimeError(f"{operation}: tensors on the CPU, of shapes {others}, meet one on {DEVICE}")
    goes_there = bool(there) and name != "_local_scalar_dense"
    if named.get("device") is not None:
        goes_there = torch.device(named["device"]).type == NAME
        named["device"] = torch.device("cpu")
    held_arguments, held_named = tree_map(_held, (arguments, named))
    answer = operation(*held_arguments, **held_named)
    if there or goes_there:
        for watcher in WATCHERS:
            watcher(name, operation, arguments, goes_there)
    if any(tensor.shape != tensor.held.shape for tensor in there):
        raise RuntimeError(f"{operation} has changed the shape of a tensor on {DEVICE}")
    known = {id(tensor.held): tensor for tensor in there}

    def wrapped(leaf: Any) -> Any:
        if id(leaf) in known:
            return known[id(leaf)]
        return There(leaf) if isinstance(leaf, torch.Tensor) else leaf

    return tree_map(wrapped, answer) if goes_there else answer


def install() -> None:
    """Make the device known to torch."""
    module = backend_registration._DummyBackendModule()
    module.get_amp_supported_dtype = lambda: [torch.float16, torch.bfloat16]
    backend_registration._setup_privateuseone_for_python_backend(NAME, backend_module=module)
    torch._C._set_only_lift_cpu_tensors(True)  # torch.tensor(..., device=...) is made on the CPU and then moved
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    KEPT.append(everything := torch.library.Library("_", "IMPL"))
    everything.fallback(carried_out, "PrivateUse1")
    KEPT.append(some := torch.library.Library("aten", "IMPL"))
    for name in AT_ONCE:
        operation, _, overload = name.partition(".")
        made = getattr(getattr(torch.ops.aten, operation), overload or "default")
        some.impl(name, partial(carried_out, made), "PrivateUse1")


KEPT: list[torch.library.Library] = []
"""What was registered lasts as long as these."""


def _held(leaf: Any) -> Any:
    return leaf.held if isinstance(leaf, There) else leaf
