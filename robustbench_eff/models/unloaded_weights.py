"""Weights that nobody loaded: what differs between two builds of a network under different seeds was drawn at random.

Weights that a factory draws from a generator of its own cannot be told from loaded ones.
"""

from __future__ import annotations

import dataclasses
import math
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from robustbench_eff.core import rng
from robustbench_eff.core.errors import ModelError
from robustbench_eff.core.tensor_digest import array_digest, tensor_digest

from .request import LoadedModule, ModelRequest

Build: TypeAlias = Callable[[], LoadedModule]
"""Builds the network of a request anew."""
_Values: TypeAlias = Tensor | npt.NDArray[Any]
_Missing: TypeAlias = dict[int, tuple[Tensor, str]]
"""Tensors that a state_dict lacked, by id, and the hash of what they held then."""

NAMES_SHOWN = 4
"""Number of tensors that a message names."""


class _Fingerprint(NamedTuple):
    """What is left of a network that was deleted."""

    hashes: dict[str, str]
    parameters: list[weakref.ref[nn.Parameter]]

    @classmethod
    def of(cls, module: nn.Module, tensors: Mapping[str, _Values]) -> _Fingerprint:
        hashes = {name: _hash(values) for name, values in tensors.items()}
        return cls(hashes, [weakref.ref(parameter) for parameter in module.parameters()])

    def is_of(self, module: nn.Module) -> bool:
        """Whether a module has one of the same parameter objects."""
        alive = [parameter for known in self.parameters if (parameter := known()) is not None]
        return not {id(parameter) for parameter in alive}.isdisjoint(id(parameter) for parameter in module.parameters())

    def changed(self, tensors: Mapping[str, _Values]) -> list[str]:
        """Names of the tensors that are new or have other values."""
        return [name for name, values in tensors.items() if self.hashes.get(name) != _hash(values)]


def accounted_for(build: Build, request: ModelRequest, device: torch.device | str = "cpu") -> LoadedModule:
    """Return a network whose every parameter and buffer was loaded or computed, or drawn with the user's consent.

    The network is built under a fixed seed. If that consumed random numbers, and not every tensor was loaded from a
    file, it is built again under another seed: tensors that differ were drawn at random. Random weights that the user
    asked for are therefore the same in every process. At most one of the two networks is in memory at a time.

    Args:
        build: Builds the network; called once or twice.
        request: The user's options; with `random_weights`, tensors drawn at random become a flag and not an error.
        device: Device whose generator is seeded as well, if it is a GPU.

    Raises:
        ModelError: A tensor was drawn at random, or never set; or the network can be built only once.
    """
    with _seeded(0, device), rng.ignored_seeds() as seeds_of_factory, _incomplete_loads() as loads:
        before = rng.global_states(device)
        built = build()
        drew = rng.global_states(device) != before
    tensors = named_tensors(built.module)
    _check_allocated(tensors, request.name)
    random: list[str] = []
    if (drew or seeds_of_factory) and not (built.all_loaded and tensors.keys() <= set(built.module.state_dict())):
        first = _Fingerprint.of(built.module, tensors)
        del built, tensors
        built, loads = _again(build, request, device)
        if first.is_of(built.module):
            return _flagged(built, f"weights not checked: {request.name} returns the same module every time")
        tensors = named_tensors(built.module)
        random = first.changed(tensors)
    unset = [name for name, values in tensors.items() if _is_unset(values) or _was_missing(values, loads)]
    unloaded = [name for name in tensors if name in random or name in unset]
    if not unloaded:
        return built
    if request.random_weights:
        return _flagged(built, f"random weights: {_listed(unloaded)}")
    if unset or not seeds_of_factory:
        raise _unloaded_error(unloaded, tensors, built, request)
    return _flagged(built, f"random weights, under a seed that the factory sets: {_listed(random)}")


def named_tensors(module: nn.Module) -> dict[str, _Values]:
    """Return every parameter, every buffer, persistent or not, and every tensor or array in an attribute, by name.

    Args:
        module: Network. Modules, tensors and arrays in lists, tuples and dictionaries are found as well.
    """
    found: dict[str, _Values] = {}
    _collect(module, "", found, {})
    return found


def _collect(value: Any, name: str, found: dict[str, _Values], seen: dict[int, Any]) -> None:
    """Add the tensors within a value; `seen` keeps all values alive, so that no two have the same id."""
    if id(value) in seen:
        return
    if isinstance(value, Tensor) or (isinstance(value, np.ndarray) and value.dtype.kind in "biufc"):
        seen[id(value)] = found[name] = value
        return
    pairs: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, nn.Module):
        pairs = _parts(value)
    elif isinstance(value, Mapping):
        pairs = value.items()
    elif isinstance(value, list | tuple):
        pairs = enumerate(value)
    else:
        return
    seen[id(value)] = value
    for key, item in pairs:
        _collect(item, f"{name}.{key}" if name else str(key), found, seen)


def _parts(module: nn.Module) -> list[tuple[str, Any]]:
    """Parameters, buffers, children, attributes, and what quantized layers keep packed, of one module by name."""
    tensors = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
    registered = {"_parameters", "_buffers", "_modules", *(name for name, _ in tensors)}
    packed: dict[str, Any] = {}
    if not isinstance(module, torch.jit.ScriptModule):
        module._save_to_state_dict(packed, "", True)
    others = [pair for pair in [*vars(module).items(), *packed.items()] if pair[0] not in registered]
    return [*tensors, *module.named_children(), *others]


def _again(build: Build, request: ModelRequest, device: torch.device | str) -> tuple[LoadedModule, _Missing]:
    try:
        with _seeded(1, device), _incomplete_loads() as loads:
            return build(), loads
    except ModelError as error:
        raise ModelError(
            f"{request.name} was built, but not a second time: {error.message}",
            "A network is built twice to find weights that nobody loaded: its factory must not depend on the past.",
        ) from error


@contextmanager
def _seeded(seed: int, device: torch.device | str) -> Iterator[None]:
    """Seed the global generators, and let new tensors hold NaN until something sets them."""
    before = torch.get_deterministic_debug_mode()
    fills = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    torch.set_deterministic_debug_mode("warn")  # use_deterministic_algorithms would import the compiler, 1 s
    torch.utils.deterministic.fill_uninitialized_memory = True  # type: ignore[attr-defined]
    try:
        with rng.global_generators(seed, "weights", device):
            yield
    finally:
        torch.set_deterministic_debug_mode(before)
        torch.utils.deterministic.fill_uninitialized_memory = fills  # type: ignore[attr-defined]


@contextmanager
def _incomplete_loads() -> Iterator[_Missing]:
    """Note the parameters and running statistics that `load_state_dict` did not find in a state_dict.

    Other buffers are constants, such as a mean or a mask, which a file need not have. A network that a factory loads by
    name is accounted for there, so only the innermost of nested blocks takes notes.
    """
    missing: _Missing = {}
    patched = nn.Module.load_state_dict
    original = getattr(patched, "_original", patched)

    def noting(module: nn.Module, *arguments: Any, **options: Any) -> Any:
        result = original(module, *arguments, **options)
        for name, values in [*module.named_parameters(), *module.named_buffers()]:
            if name not in result.missing_keys:
                missing.pop(id(values), None)
            elif isinstance(values, nn.Parameter) or name.endswith(("running_mean", "running_var")):
                missing[id(values)] = values, _hash(values)
        return result

    noting._original = original  # type: ignore[attr-defined]
    nn.Module.load_state_dict = noting  # type: ignore[assignment, method-assign]
    try:
        yield missing
    finally:
        nn.Module.load_state_dict = patched  # type: ignore[method-assign]


def _was_missing(values: _Values, missing: _Missing) -> bool:
    """Whether a state_dict lacked a tensor, and nothing else has set it since."""
    return id(values) in missing and missing[id(values)][1] == _hash(values)


def _flagged(built: LoadedModule, flag: str) -> LoadedModule:
    return dataclasses.replace(built, flags=(*built.flags, flag))


def _check_allocated(tensors: Mapping[str, _Values], name: str) -> None:
    """Raise ModelError for tensors without memory, which are drawn at the first forward pass, or never."""
    absent = [key for key, values in tensors.items() if isinstance(values, Tensor) and _is_absent(values)]
    if absent:
        raise ModelError(
            f"{name}: {len(absent)} of {len(tensors)} tensors have no values yet: {_listed(absent)}.",
            "Lazy modules need a forward pass, and modules on the meta device need their weights, in the factory.",
        )


def _is_absent(values: Tensor) -> bool:
    return is_lazy(values) or values.is_meta


def _is_unset(values: _Values) -> bool:
    """True for a tensor that holds nothing but NaN."""
    if not isinstance(values, Tensor) or not values.is_floating_point() or not values.numel():
        return False
    if values.is_quantized or values.layout != torch.strided:
        return False
    return bool(values.flatten()[0].isnan()) and bool(values.isnan().all())


def _hash(values: _Values) -> str:
    """Hash of type, shape and values; empty for a tensor without memory."""
    if isinstance(values, Tensor):
        return "" if _is_absent(values) else tensor_digest(values)
    return array_digest(values)


def _unloaded_error(
    unloaded: list[str], tensors: Mapping[str, _Values], built: LoadedModule, request: ModelRequest
) -> ModelError:
    numbers = sum(_numel(tensors[name]) for name in unloaded)
    share = 100 * numbers / sum(map(_numel, tensors.values()))
    options = {"--num-classes": f"num_classes={request.num_classes}" in built.source, "--model-arg": request.model_args}
    given = " and ".join(option for option, is_given in options.items() if is_given)
    leave_out = f" Or leave out {given}, if the network has weights without." if given else ""
    return ModelError(
        f"{request.name}: nobody loaded {len(unloaded)} of {len(tensors)} parameters and buffers "
        f"({_percent(share)} % of the numbers): {_listed(unloaded)}. They hold their initial values.",
        f"Pass a file that has all of them with --weights FILE, or load them in the factory.{leave_out}\n"
        "To evaluate random weights on purpose, add --random-weights: every row of the tables then says so.",
    )


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:NAMES_SHOWN])
    return shown if len(names) <= NAMES_SHOWN else f"{shown} and {len(names) - NAMES_SHOWN} more"


def _percent(share: float) -> str:
    """Two significant digits, so that a small share is not printed as 0."""
    return f"{share:.0f}" if share >= 10 else f"{share:.2g}"


def _numel(values: _Values) -> int:
    return math.prod(values.shape)
