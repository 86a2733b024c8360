"""A training between two epochs, as a file that appears whole or not at all."""

from __future__ import annotations

import dataclasses
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from robustbench_eff.core.errors import TrainingError


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """What happened in an epoch."""

    number: int
    """From 1."""
    loss: float
    """Mean over its updates."""
    clean: float | None
    """Accuracy on images that are not trained on, where it was looked at."""
    robust: float | None
    """The same under attack."""
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """All that a training needs to go on as if it had not stopped; random numbers are functions of the step."""

    step: int
    module: dict[str, Any]
    optimizer: dict[str, Any]
    rates: dict[str, Any]
    average: dict[str, Any] | None
    history: list[Epoch]


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write beside the file, then put in its place."""
    fields = {field.name: getattr(checkpoint, field.name) for field in dataclasses.fields(checkpoint)}
    fields["history"] = [dataclasses.asdict(epoch) for epoch in checkpoint.history]
    written = path.with_name(f"{path.name}.part")
    torch.save(fields, written)
    written.replace(path)


def load(path: Path) -> Checkpoint:
    """TrainingError for a file that cannot be read."""
    try:
        fields = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise TrainingError(f"{path} cannot be read: {error}", "Delete it to begin again.") from error
    history = [Epoch(**epoch) for epoch in fields.pop("history")]
    return Checkpoint(**fields, history=history)
