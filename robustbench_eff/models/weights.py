"""Loading a weights file into a module, strictly and without running code from it."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from robustbench_eff.core.errors import ModelError

CONTAINERS = ("state_dict", "model_state_dict", "model", "net", "params")
"""Entries of a checkpoint that may hold the state_dict, in order of preference."""
PREFIXES = ("module.", "_orig_mod.", "model.")
"""Prefixes that wrappers such as DataParallel and torch.compile add to all keys."""

StateDict = dict[str, Tensor]
"""Parameters and buffers by name."""


def load_weights(module: nn.Module, path: Path, *, trust: bool = False, drop: str | None = None) -> tuple[str, ...]:
    """Load a .safetensors or PyTorch file into a module.

    Only tensors are read. Every key must fit, except BatchNorm's `num_batches_tracked`, which evaluation does not use.

    Args:
        module: Network to load into.
        path: File of weights.
        trust: Unpickle a file that contains more than tensors, which may run code from it.
        drop: Ignore all keys of the file that contain this text.

    Returns:
        Notes on the file and on what was done to it.

    Raises:
        ModelError: The file cannot be read, needs unpickling without `trust`, or does not fit the module.
    """
    state, notes = _state_dict(_read(path, trust), path)
    if drop is not None and (dropped := [key for key in state if drop in key]):
        state = {key: value for key, value in state.items() if drop not in key}
        notes = (*notes, f"{len(dropped)} entries dropped, such as {dropped[0]}")
    state, stripped = _without_prefix(state, set(module.state_dict()))
    if stripped:
        notes = (*notes, f"prefix {stripped!r} removed")
    _check(module.state_dict(), state, path)
    module.load_state_dict({**counters(module), **state}, strict=True)
    return (f"weights from {path.name}", *notes)


def _read(path: Path, trust: bool) -> Any:
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(path)
        except (OSError, SafetensorError) as error:
            raise ModelError(f"{path} is not a safetensors file: {error}") from error
    try:
        return torch.load(path, map_location="cpu", weights_only=not trust)
    except pickle.UnpicklingError as error:
        reason = str(error).partition("\n")[0]
        raise ModelError(
            f"{path} is refused: reading it would run code that the file contains ({reason}).",
            "Save its state_dict as .safetensors; or pass --trust-checkpoint if you trust the author of the file.",
        ) from error
    except Exception as error:
        raise ModelError(f"{path} cannot be read as a PyTorch checkpoint: {type(error).__name__}: {error}") from error


def _state_dict(content: Any, path: Path) -> tuple[StateDict, tuple[str, ...]]:
    """The state_dict inside a checkpoint, and notes on where it was."""
    if isinstance(content, nn.Module):
        return dict(content.state_dict()), ("a pickled module: its state_dict",)
    if not isinstance(content, dict):
        raise ModelError(f"{path} holds a {type(content).__name__}, not a state_dict.")
    if content and all(isinstance(value, Tensor) for value in content.values()):
        return dict(content), ()
    for name in CONTAINERS:
        inner = content.get(name)
        inner = inner.state_dict() if isinstance(inner, nn.Module) else inner
        if isinstance(inner, dict) and inner and all(isinstance(value, Tensor) for value in inner.values()):
            others = sorted(str(key) for key in content if key != name)
            note = f"entry {name!r}" + (f" (others left: {', '.join(others)})" if others else "")
            return dict(inner), (note,)
    keys = ", ".join(str(key) for key in list(content)[:8])
    raise ModelError(
        f"{path} does not contain a state_dict under {', '.join(CONTAINERS)}; it contains {keys}.",
        "Save the state_dict of the model alone.",
    )


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
    extra = [key for key in state if key not in wanted]
    shapes = [
        f"{key}: file {tuple(state[key].shape)}, model {tuple(wanted[key].shape)}"
        for key in wanted
        if key in state and state[key].shape != wanted[key].shape
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
