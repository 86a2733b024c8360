"""What the user asked for, and what a source of models gives back."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robustbench_eff.core.errors import Missing, ModelError
from robustbench_eff.core.preprocessing import Mode, Preprocessing

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """A model by name, with everything the user may set; None leaves the model's own value."""

    name: str
    weights: Path | None = None
    num_classes: int | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    input_size: int | None = None
    geometry: Mode | None = None
    model_args: Mapping[str, Any] = field(default_factory=dict)
    trust_checkpoint: bool = False

    def missing_weights_file(self) -> list[Missing]:
        """The `--weights` file, if it was named and is not there."""
        if self.weights is None or self.weights.is_file():
            return []
        return [Missing(f"weights file {self.weights}", "on this machine", "--weights FILE")]

    def adapt(self, preprocessing: Preprocessing, crop_pct: float) -> Preprocessing:
        """The model's preprocessing with what the user set; `crop_pct` = crop / short side."""
        geometry = preprocessing.geometry
        if self.input_size is not None:
            resize = math.floor(self.input_size / crop_pct) if geometry.mode == "crop" else None
            geometry = dataclasses.replace(geometry, size=self.input_size, resize=resize)
        if self.geometry is not None and self.geometry != geometry.mode:
            resize = math.floor(geometry.size / crop_pct) if self.geometry == "crop" else None
            geometry = dataclasses.replace(geometry, mode=self.geometry, resize=resize)
        return Preprocessing(
            geometry=geometry,
            mean=_three(self.mean, preprocessing.mean),
            std=_three(self.std, preprocessing.std),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModule:
    """A module in eval mode, before it becomes a Classifier."""

    module: nn.Module
    preprocessing: Preprocessing
    source: str
    label_space: str
    notes: tuple[str, ...] = ()
    code: Path | None = None
    """The user's file that built the module."""


def _three(given: tuple[float, ...] | None, own: tuple[float, float, float]) -> tuple[float, float, float]:
    if given is None:
        return own
    if len(given) == 1:
        given *= 3
    if len(given) != 3:
        raise ModelError(f"--mean and --std take one value or three, got {len(given)}.")
    return given[0], given[1], given[2]


def source_text(prefix: str, name: str, model_args: Mapping[str, Any]) -> str:
    """How a source is written in manifests and hashed: `timm:mobilenetv2_100(pad_type='same')`."""
    arguments = ", ".join(f"{key}={value!r}" for key, value in sorted(model_args.items()))
    return f"{prefix}:{name}({arguments})" if arguments else f"{prefix}:{name}"


def label_space_of(num_classes: int) -> str:
    """1,000 classes are taken for ImageNet; anything else must name its benchmark."""
    return "imagenet" if num_classes == 1000 else "custom"
