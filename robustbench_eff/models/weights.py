"""Reading a weights file into a module, strictly and without running code from it."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from robustbench_eff.core.errors import ModelError

CONTAINERS = ("state_dict", "model_state_dict", "model", "net", "params")
PREFIXES = ("module.", "_orig_mod.", "model.")

StateDict = dict[str, Tensor]


def load_weights(module: nn.Module, path: Path, *, trust: bool = False, drop: str | None = None) -> tuple[str, ...]:
    """Load a .safetensors or PyTorch file into `module`; returns notes on what was done to it.

    Only tensors are read; a file that needs unpickling is refused unless `trust`. Every key must fit, except
    those that contain `drop` and BatchNorm's `num_batches_tracked`, which no evaluation reads.
    Raises ModelError with the reason.
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
            f"{path} is refused: reading it would run code that the file carries ({reason}).",
            "Save its state_dict as .safetensors; or pass --trust-checkpoint if you trust who made the file.",
        ) from error
    except Exception as error:
        raise ModelError(f"{path} cannot be read as a PyTorch checkpoint: {type(error).__name__}: {error}") from error


def _state_dict(content: Any, path: Path) -> tuple[StateDict, tuple[str, ...]]:
    """The mapping of tensors inside a checkpoint, and which entry it was."""
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
    found = ", ".join(str(key) for key in list(content)[:8])
    raise ModelError(
        f"{path} has no state_dict under {', '.join(CONTAINERS)}; it has {found}.",
        "Save the state_dict of the model alone.",
    )


def _without_prefix(state: StateDict, wanted: set[str]) -> tuple[StateDict, str]:
    """Remove wrapper prefixes that every key carries and the module does not have."""
    removed = ""
    while state:
        prefix = next((p for p in PREFIXES if all(key.startswith(p) for key in state)), None)
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
        f"{len(found)} {what}, such as {', '.join(found[:3])}"
        for what, found in (("missing", missing), ("unexpected", extra), ("of another shape", shapes))
        if found
    ]
    if problems:
        raise ModelError(
            f"{path} does not fit the model: {'; '.join(problems)}.",
            "Is it the right architecture, --num-classes and --model-arg?",
        )


def counters(module: nn.Module) -> StateDict:
    """BatchNorm's counts of batches, which checkpoints may lack and no evaluation reads."""
    return {key: value for key, value in module.state_dict().items() if key.endswith("num_batches_tracked")}
