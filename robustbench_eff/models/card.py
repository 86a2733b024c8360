"""The card of a trained network: what it is, how it was trained, and how to load it; JSON beside the weights."""

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
"""Files of a folder that a training wrote."""
_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """Accuracies are fractions."""

    name: str
    architecture: str
    """Text of an architecture."""
    num_classes: int
    label_space: str
    activation: str | None
    """What took the place of every activation with a kink."""
    preprocessing: Preprocessing
    defense: str
    """Text of the recipe."""
    recipe: Mapping[str, Any]
    """Its fields."""
    schedule: Mapping[str, Any]
    seed: int
    benchmark: str
    data: str
    """What was trained on, in words."""
    data_fingerprint: str
    passes_per_sample: float
    """Forward and backward passes of the training, over the number of training images."""
    accuracy: Mapping[str, float]
    """By what it was measured on."""
    epochs: list[Mapping[str, Any]] = field(default_factory=list)
    notes: tuple[str, ...] = ()
    environment: Mapping[str, Any] = field(default_factory=dict)

    def text(self) -> str:
        """As JSON."""
        return json.dumps({"format": _FORMAT, **dataclasses.asdict(self)}, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def read(cls, path: Path) -> Card:
        """ModelError for a file that is no card."""
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            if fields.pop("format") != _FORMAT:
                raise ModelError(f"{path} is of another version.", "Train the network again, or update.")
            preprocessing = fields.pop("preprocessing")
            geometry = Geometry(**preprocessing.pop("geometry"))
            mean, std = (tuple(preprocessing[name]) for name in ("mean", "std"))
            fields["notes"] = tuple(fields["notes"])
            return cls(**fields, preprocessing=Preprocessing(geometry=geometry, mean=mean, std=std))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(f"{path} is no card of a trained network: {type(error).__name__}: {error}") from error
