"""Loading a weights file into a module, strictly and without running code from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeGuard

from torch import Tensor, nn

from robustbench_eff.core.errors import ModelError, reason
from robustbench_eff.core.tensor_files import read_tensor_file

from .shards import is_list_of_shards, read_shards
from .weight_values import COUNTER, check_values, has_shape, shape_text, shown

CONTAINERS = (
    "state_dict",
    "model_state_dict",
    "model",
    "net",
    "params",
    "state_dict_ema",
    "model_ema",
    "ema_state_dict",
)
"""Entries of a checkpoint that may hold the state_dict, in order of preference."""
PREFIXES = ("module.", "_orig_mod.", "model.")
"""Prefixes that wrappers such as DataParallel and torch.compile add to all keys."""
SHOWN = 8
"""Number of names of a checkpoint's entries in a message."""
_ALONE = "Save the state_dict of the model alone: torch.save(model.state_dict(), FILE)."

StateDict = dict[str, Tensor]
"""Parameters and buffers by name."""


def load_weights(
    module: nn.Module,
    path: Path,
    *,
    trust: bool = False,
    drop: str | None = None,
    prepare: Callable[[StateDict, Path], StateDict] | None = None,
) -> tuple[str, ...]:
    """Load a .safetensors or PyTorch file, or the list of a safetensors file in parts, into a module.

    Only tensors are read. Every key must fit, except BatchNorm's `num_batches_tracked`, which evaluation does not use.

    Args:
        module: Network to load into.
        path: File of weights.
        trust: Unpickle a file that contains more than tensors, which may run code from it.
        drop: Ignore all keys of the file that contain this text.
        prepare: Gives the tensors of the file the names that the module has.

    Returns:
        Notes on the file and on what was done to it.

    Raises:
        ModelError: The file cannot be read, needs unpickling without `trust`, does not fit the module, or has tensors
            that are no weights of it.
    """
    state, notes = read_state(path, trust=trust)
    if drop is not None and (dropped := [key for key in state if drop in key]):
        state = {key: value for key, value in state.items() if drop not in key}
        notes = (*notes, f"{len(dropped)} entries dropped, such as {dropped[0]}")
    if prepare is not None:
        state = prepare(state, path)
    state, stripped = _without_prefix(state, set(_tensors_of(module)))
    if stripped:
        notes = (*notes, f"prefix {stripped!r} removed")
    return (f"weights from {path.name}", *notes, *load_state(module, state, path))


def read_state(
    path: Path, *, trust: bool = False, containers: Sequence[str] = CONTAINERS
) -> tuple[StateDict, tuple[str, ...]]:
    """Return the tensors of a file by name, and notes on where they were.

    Args:
        path: File of weights.
        trust: Unpickle a file that contains more than tensors, which may run code from it.
        containers: Entries of a checkpoint that may hold the state_dict, in order of preference.

    Raises:
        ModelError: The file cannot be read, needs unpickling without `trust`, or has no state_dict.
    """
    content = read_shards(path) if is_list_of_shards(path) else read_tensor_file(path, ModelError, trust=trust)
    return _state_dict(content, path, containers)


def load_state(module: nn.Module, state: StateDict, path: Path) -> tuple[str, ...]:
    """Load tensors into a module. Every name must fit, except BatchNorm's `num_batches_tracked`.

    Args:
        module: Network to load into.
        state: Tensors by the names of the network.
        path: Their file, for messages.

    Returns:
        Notes on numbers that were converted to another type.

    Raises:
        ModelError: A tensor is missing, unexpected, of another shape, or no weight of the network.
    """
    wanted = _tensors_of(module)
    _check(wanted, state, path)
    notes = check_values(wanted, state, dict(module.named_parameters()).keys(), path)
    try:
        module.load_state_dict({**counters(module), **state}, strict=True)
    except RuntimeError as error:  # such as a tensor of a class that cannot be copied
        raise ModelError(f"{path} cannot be loaded into the model: {reason(error)}.") from error
    return notes


def fits(module: nn.Module, state: StateDict) -> bool:
    """Return whether tensors have the names and shapes of a network's; its own may be on the device `meta`.

    Args:
        module: Network.
        state: Tensors by name, with or without the prefix of a wrapper.
    """
    wanted: dict[str, Any] = module.state_dict()
    state, _ = _without_prefix(state, set(wanted))
    named = {key for key in wanted if not key.endswith(COUNTER)}
    return named <= state.keys() <= wanted.keys() and all(
        isinstance(wanted[key], Tensor) and has_shape(value, wanted[key]) for key, value in state.items()
    )


def _tensors_of(module: nn.Module) -> StateDict:
    wanted: dict[str, Any] = module.state_dict()
    if others := [name for name, value in wanted.items() if not isinstance(value, Tensor)]:
        raise ModelError(
            f"{type(module).__name__} keeps {others[0]}, which is no tensor, among its weights.",
            "Load its weights in the factory, and leave out --weights.",
        )
    return wanted


def _state_dict(content: Any, path: Path, containers: Sequence[str]) -> tuple[StateDict, tuple[str, ...]]:
    """The state_dict inside a checkpoint, and notes on where it was."""
    if isinstance(content, nn.Module):
        return dict(content.state_dict()), ("a pickled module: its state_dict",)
    if not isinstance(content, dict):
        raise ModelError(f"{path} holds a {type(content).__name__}, not a state_dict.", _ALONE)
    if not content:
        raise ModelError(f"{path} holds an empty dictionary, not a state_dict.", _ALONE)
    if _is_state_dict(content):
        return _with_names(content, path), ()
    for name in containers:
        inner = content.get(name)
        inner = inner.state_dict() if isinstance(inner, nn.Module) else inner
        if _is_state_dict(inner):
            others = [key for key in content if key != name]
            note = f"entry {name!r}" + (f" (others left: {_listed(others, SHOWN)})" if others else "")
            return _with_names(inner, path), (note,)
    if any(isinstance(value, Tensor) for value in content.values()):
        others = [key for key, value in content.items() if not isinstance(value, Tensor)]
        kinds = f"{len(others)} of its {len(content)} entries are no tensors, such as"
        raise ModelError(
            f"{path} is not a state_dict: {kinds} {shown(others[0])!r} of type {type(content[others[0]]).__name__}.",
            _ALONE,
        )
    raise ModelError(
        f"{path} does not contain a state_dict under {', '.join(containers)}; it contains {_listed(content, SHOWN)}.",
        _ALONE,
    )


def _is_state_dict(content: Any) -> TypeGuard[dict[Any, Tensor]]:
    return isinstance(content, dict) and bool(content) and all(isinstance(value, Tensor) for value in content.values())


def _with_names(state: dict[Any, Tensor], path: Path) -> StateDict:
    """The state_dict itself; ModelError if a key is no text."""
    for key in state:
        if not isinstance(key, str):
            name = f"{key}" if isinstance(key, int) else ""
            raise ModelError(
                f"{path} names an entry {name}{' ' if name else ''}of type {type(key).__name__}; names are texts.",
                "Save the state_dict of the model: torch.save(model.state_dict(), FILE).",
            )
    return dict(state)


def _listed(names: Iterable[Any], count: int) -> str:
    few = [shown(name) for name in islice(names, count + 1)]
    return ", ".join(few[:count]) + (", …" if len(few) > count else "")


def _without_prefix(state: StateDict, wanted: set[str]) -> tuple[StateDict, str]:
    """Remove wrapper prefixes that all keys of the file have and the module does not."""
    removed = ""
    while state:
        prefix = next((prefix for prefix in PREFIXES if all(key.startswith(prefix) for key in state)), None)
        if prefix is None or any(key.startswith(prefix) for key in wanted):
            break
        state = {key.removeprefix(prefix): value for key, value in state.items()}
        removed += prefix
    return state, removed


def _check(wanted: StateDict, state: StateDict, path: Path) -> None:
    missing = [key for key in wanted if key not in state and not key.endswith("num_batches_tracked")]
    extra = [shown(key) for key in state if key not in wanted]
    shapes = [
        f"{key}: file {shape_text(state[key])}, model {shape_text(wanted[key])}"
        for key in wanted
        if key in state and not has_shape(state[key], wanted[key])
    ]
    problems = [
        f"{len(keys)} {what}, such as {', '.join(keys[:3])}"
        for what, keys in (("missing", missing), ("unexpected", extra), ("of another shape", shapes))
        if keys
    ]
    if problems:
        raise ModelError(
            f"{path} does not fit the model: {'; '.join(problems)}.",
            "Is it the right architecture, --num-classes and --model-arg?",
        )


def counters(module: nn.Module) -> StateDict:
    """Return BatchNorm's counts of batches, which checkpoints may lack and evaluation does not use.

    Args:
        module: Network.
    """
    return {key: value for key, value in module.state_dict().items() if key.endswith("num_batches_tracked")}
