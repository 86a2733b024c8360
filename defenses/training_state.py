"""The state of a training between two epochs, in a file that is written atomically."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from robustbench_eff.core.disk import replacing, store_errors
from robustbench_eff.core.errors import TrainingError
from robustbench_eff.core.tensor_files import read_tensor_file

AGAIN = "Delete it to start again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """The record of an epoch."""

    number: int
    """Number of the epoch, from 1."""
    loss: float
    """Mean loss over the updates."""
    clean: float | None
    """Accuracy on validation images; None if this epoch was not validated."""
    robust: float | None
    """Accuracy on the same images under the validation attack."""
    seconds: float
    """Duration, including the validation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Everything that a training needs to resume exactly; random numbers are functions of the step."""

    step: int
    """Number of finished steps."""
    module: dict[str, Any]
    """State of the module in training."""
    optimizer: dict[str, Any]
    """State of the optimizer."""
    rates: dict[str, Any]
    """State of the learning-rate scheduler."""
    average: dict[str, Any] | None
    """State of the exponential moving average of the weights, if there is one."""
    history: list[Epoch]
    """Records of the finished epochs."""


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; an interruption or a full disk leaves the previous one intact.

    Args:
        path: The file to write.
        checkpoint: The state to save.

    Raises:
        StoreError: The disk is full, or the folder cannot be written.
    """
    fields = {field.name: getattr(checkpoint, field.name) for field in dataclasses.fields(checkpoint)}
    fields["history"] = [dataclasses.asdict(epoch) for epoch in checkpoint.history]
    with store_errors(path.parent), replacing(path) as file:
        torch.save(fields, file)


def load(path: Path) -> Checkpoint:
    """Return the checkpoint in a file, with its tensors on the CPU.

    Args:
        path: A file that `save` wrote.

    Raises:
        TrainingError: The file cannot be read, or is not the state of a training.
    """
    fields = read_tensor_file(path, TrainingError)
    if not isinstance(fields, dict) or fields.keys() != {field.name for field in dataclasses.fields(Checkpoint)}:
        raise TrainingError(f"{path} is not the state of a training.", AGAIN)
    try:
        history = [Epoch(**epoch) for epoch in fields["history"]]
    except TypeError as error:
        raise TrainingError(f"{path} is not the state of a training: {error}.", AGAIN) from error
    kinds = {"step": int, "module": dict, "optimizer": dict, "rates": dict, "average": dict | None}
    if wrong := [name for name, kind in kinds.items() if not isinstance(fields[name], kind)]:
        raise TrainingError(f"{path} is not the state of a training: {wrong[0]} is of another type.", AGAIN)
    return Checkpoint(**{**fields, "history": history})
