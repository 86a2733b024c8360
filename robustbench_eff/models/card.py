"""The card of a trained network: its architecture, its training and its accuracy, as JSON beside the weights."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from robustbench_eff.core.errors import ModelError, UsageError
from robustbench_eff.core.outside_files import read_json
from robustbench_eff.core.preprocessing import Preprocessing

CARD, WEIGHTS = "model.json", "model.safetensors"
"""Names of the files in a folder that a training wrote."""
MAX_CLASSES = 1_000_000
"""Largest number of outputs of a card."""
_FORMAT = 1
_AGAIN = "Train the network again, or update."


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """All that is needed to load a trained network, and how it was trained."""

    name: str
    """Name of the network."""
    architecture: str
    """Text of an architecture, such as `small_cnn(width=16)`."""
    num_classes: Annotated[int, Field(ge=1, le=MAX_CLASSES)]
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
        fields = read_json(path, ModelError)
        if not isinstance(fields, dict) or "format" not in fields:
            raise ModelError(f"{path} is not the card of a trained network: it has no format.", "Pass another folder.")
        if fields.pop("format") != _FORMAT:
            raise ModelError(f"{path} has another format version.", _AGAIN)
        known = {item.name for item in dataclasses.fields(cls)}
        if unknown := [key for key in fields if key not in known]:
            raise ModelError(f"{path} is not the card of a trained network: {unknown[0][:80]!r} is unknown.", _AGAIN)
        try:
            return _CARD.validate_python(fields)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise ModelError(
                f"{path} is not the card of a trained network: {place}: {first['msg']}.", _AGAIN
            ) from error
        except UsageError as error:
            raise ModelError(f"{path}: {error.message}", error.hint) from error


_CARD = TypeAdapter(Card)
