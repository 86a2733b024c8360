"""The card of a trained network: its architecture, its training and its accuracy, as JSON beside the weights."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from robustbench_eff.core.errors import ModelError
from robustbench_eff.core.preprocessing import Geometry, Preprocessing

CARD, WEIGHTS = "model.json", "model.safetensors"
"""Names of the files in a folder that a training wrote."""
_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """All that is needed to load a trained network, and how it was trained."""

    name: str
    """Name of the network."""
    architecture: str
    """Text of an architecture, such as `small_cnn(width=16)`."""
    num_classes: int
    """Number of outputs."""
    label_space: str
    """Label space of its classes, such as `digits`."""
    activation: str | None
    """Activation that replaced every activation with a kink; None if they were not replaced."""
    preprocessing: Preprocessing
    """Geometry and normalization of its images."""
    defense: str
    """Text of the training recipe."""
    recipe: Mapping[str, Any]
    """Fields of the training recipe."""
    schedule: Mapping[str, Any]
    """Fields of the training schedule."""
    seed: int
    """Seed of the training."""
    benchmark: str
    """Benchmark that the training validated on."""
    data: str
    """Description of the training images."""
    data_fingerprint: str
    """Hash of the training images."""
    passes_per_sample: float
    """Forward and backward passes of the whole training, divided by the number of training images."""
    accuracy: Mapping[str, float]
    """Accuracies as fractions, by what they were measured on."""
    class_names: tuple[str, ...] = ()
    """Name of each output, where the training images are the user's own and have names; else empty."""
    epochs: list[Mapping[str, Any]] = field(default_factory=list)
    """Log of every epoch."""
    notes: tuple[str, ...] = ()
    """Remarks of the training."""
    environment: Mapping[str, Any] = field(default_factory=dict)
    """Versions and hardware of the training."""

    def text(self) -> str:
        """Return the card as JSON."""
        return json.dumps({"format": _FORMAT, **dataclasses.asdict(self)}, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def read(cls, path: Path) -> Card:
        """Return the card in a file.

        Args:
            path: JSON file.

        Raises:
            ModelError: The file cannot be read, is not a card, or has another format version.
        """
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            if fields.pop("format") != _FORMAT:
                raise ModelError(f"{path} has another format version.", "Train the network again, or update.")
            preprocessing = fields.pop("preprocessing")
            geometry = Geometry(**preprocessing.pop("geometry"))
            mean, std = (tuple(preprocessing[name]) for name in ("mean", "std"))
            for name in ("notes", "class_names"):
                fields[name] = tuple(fields.get(name, ()))
            return cls(**fields, preprocessing=Preprocessing(geometry=geometry, mean=mean, std=std))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(f"{path} is not the card of a trained network: {type(error).__name__}: {error}") from error
