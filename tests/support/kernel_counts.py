"""How many kernels a device would launch for a step of an attack, and how often the host would wait for it.

Counted on the device of `accelerator`, of which every operation is seen: there is one kernel for each that writes a
tensor, and a wait wherever the host reads a value or torch must know one to size its answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch._inductor.utils import run_and_get_code
from torch.utils._pytree import tree_leaves, tree_map

import accelerator
from accelerator import DEVICE, There
from robustbench_eff.attacks import Oracle
from robustbench_eff.attacks.reduced_precision import Precision
from robustbench_eff.core import fused
from robustbench_eff.core.fused import Fused
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.registry.perturbation import parse_attack

WAITS = ("_local_scalar_dense", "tolist", "nonzero", "equal", "masked_select", "_unique2", "unique_dim")
"""Operations for which the host reads a value, or for which torch reads the size of the answer."""
BY_MASK = ("index", "index_put", "index_put_", "_index_put_impl_")
"""Operations that read the size of the answer where they are given a mask."""
NO_KERNEL = (
    *("_local_scalar_dense", "tolist", "lift_fresh", "_reshape_alias", "resize_", "set_", "is_same_size"),
    *("empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided", "_unsafe_view"),
)
"""Operations that read or describe a tensor, or reserve memory."""
SAMPLES, CLASSES, SIDE = 12, 10, 8


class Counts(NamedTuple):
    """Operations of some code on the device."""

    kernels: float
    waits: float

    def __sub__(self, other: Counts) -> Counts:
        return Counts(self.kernels - other.kernels, self.waits - other.waits)

    def __truediv__(self, number: float) -> Counts:
        return Counts(self.kernels / number, self.waits / number)


@dataclass
class _Tally:
    """Counts what it is told."""

    kernels: int = 0
    waits: int = 0
    is_paused: bool = False

    def __call__(self, name: str, operation: Any, arguments: Any, goes_there: bool) -> None:
        if self.is_paused:
            return
        self.waits += name in WAITS or _has_a_mask(name, arguments) or _goes_to_the_host(name, arguments, goes_there)
        self.kernels += name not in NO_KERNEL and not operation.is_view  # views describe a tensor


_TALLY = _Tally()


def per_step(text: str, short: int, long: int, precision: Precision | None = None) -> Counts:
    """What a step needs beyond the passes of the network: the difference of two runs, divided by that of their steps.

    Args:
        text: The attack, with `{}` for the number of steps.
        short: Steps of one run.
        long: Steps of the other.
        precision: Of the low-precision copy that is queried; None for the network itself.
    """
    few, many = (run(text.replace("{}", str(steps)), precision) for steps in (short, long))
    return (many - few) / (long - short)


def run(text: str, precision: Precision | None = None) -> Counts:
    """What an attack needs beyond the passes of the network that it makes."""
    images = RandomStreams.of(0, range(SAMPLES)).uniform((3, SIDE, SIDE), stream="images")
    network = _Network().eval()
    with torch.no_grad():
        labels = network(images).argmax(1)
    draws = RandomStreams(0, RandomStreams.of(0, range(SAMPLES)).keys.to(DEVICE))
    oracle, there = Oracle(network.to(DEVICE), precision=precision), (images.to(DEVICE), labels.to(DEVICE))
    return _counted(lambda: parse_attack(text)(oracle, *there, draws))


class _Network(nn.Module):
    """A linear network, whose operations do not count."""

    def __init__(self) -> None:
        super().__init__()
        weight = RandomStreams.of(0, range(CLASSES)).normal((3 * SIDE * SIDE,), stream="weight")
        self.weight = nn.Parameter(weight)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = _Product.apply(images, self.weight)
        return logits


class _Product(torch.autograd.Function):
    """The network's passes."""

    @staticmethod
    def forward(context: Any, images: Tensor, weight: Tensor) -> Tensor:
        context.weight, context.shape = weight, images.shape
        with _paused():
            return images.flatten(1) @ weight.T

    @staticmethod
    def backward(context: Any, *slopes: Tensor) -> tuple[Tensor, None]:
        with _paused():
            return (slopes[0] @ context.weight).view(context.shape), None


def _as_compiled(function: Fused[Any, Any], *arguments: Any, **named: Any) -> Any:
    """What a fused function gives, compiled for a CPU; it counts as many kernels as functions that the code calls."""
    held_arguments, held_named = tree_map(_held, (arguments, named))
    key = (function.plain.__qualname__, *(_described(leaf) for leaf in tree_leaves((arguments, named))))
    if key not in _COMPILED:
        torch._dynamo.reset()
        compiled = torch.compile(function.plain, dynamic=False)
        _, sources = run_and_get_code(compiled, *held_arguments, **held_named)
        _COMPILED[key] = compiled, sum(len(CALLED.findall(source)) for source in sources)
    compiled, launches = _COMPILED[key]
    if not _TALLY.is_paused:
        _TALLY.kernels += launches
    with _paused():
        return tree_map(
            lambda leaf: There(leaf) if isinstance(leaf, Tensor) else leaf,
            function.plain(*held_arguments, **held_named),
        )


_COMPILED: dict[tuple[Any, ...], tuple[Any, int]] = {}
CALLED = re.compile(r"^ +(?:cpp_fused_\w+|extern_kernels\.\w+|torch\.ops\.\S+|aten\.\S+)\(", re.MULTILINE)
"""Calls in the code that the compiler writes."""


def _held(leaf: Any) -> Any:
    return leaf.held if isinstance(leaf, There) else leaf


def _described(leaf: Any) -> Any:
    return (tuple(leaf.shape), leaf.dtype) if isinstance(leaf, Tensor) else str(leaf)


@contextmanager
def _paused() -> Iterator[None]:
    before, _TALLY.is_paused = _TALLY.is_paused, True
    try:
        yield
    finally:
        _TALLY.is_paused = before


def _has_a_mask(name: str, arguments: Any) -> bool:
    places = tree_leaves(arguments[1]) if name in BY_MASK else []
    return any(isinstance(place, Tensor) and place.dtype == torch.bool for place in places)


def _goes_to_the_host(name: str, arguments: Any, goes_there: bool) -> bool:
    if name == "copy_":
        return isinstance(arguments[1], There) and not isinstance(arguments[0], There)
    return name == "_to_copy" and isinstance(arguments[0], There) and not goes_there


def begin() -> None:
    """What the process does first."""
    torch.set_num_threads(1)
    accelerator.install()
    accelerator.WATCHERS.append(_TALLY)


def begin_compiled() -> None:
    """The same where arithmetic is compiled."""
    begin()
    fused.COMPILED_ON = (accelerator.NAME,)
    Fused.compiled = _as_compiled


def counts_of_examples() -> dict[str, tuple[float, float]]:
    """What the count says of single operations."""
    numbers, here = torch.arange(4.0).to(DEVICE), torch.arange(4.0)
    mask, places = numbers > 1, torch.tensor([1, 2]).to(DEVICE)
    examples: dict[str, Callable[[], Any]] = {
        "addition": lambda: numbers + 1,
        "view": lambda: numbers[1:].view(3, 1).expand(3, 2),
        "reading a number": lambda: float(numbers[0]),
        "reading a list": lambda: numbers.tolist(),
        "selecting by a mask": lambda: numbers[mask],
        "selecting by positions": lambda: numbers[places],
        "copying to the host": lambda: numbers.cpu(),
        "copying from the host": lambda: here.to(DEVICE),
        "comparison": lambda: torch.equal(numbers, numbers),
    }
    return {name: _counted(example) for name, example in examples.items()}


def _counted(function: Callable[[], Any]) -> Counts:
    _TALLY.kernels = _TALLY.waits = 0
    function()
    return Counts(_TALLY.kernels, _TALLY.waits)
