"""`load_classifier`: any model as a classifier in pixel space."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from robustbench_eff.core.errors import MissingInputs, UsageError
from robustbench_eff.core.preprocessing import Mode
from robustbench_eff.system.devices import resolve_device

from . import resolve as zoo
from .classifier import Classifier, Provenance
from .request import ModelRequest
from .sources.user_module import plain_preprocessing

ModelLike = str | nn.Module | ModelRequest
"""A model as a user names it, or as it is."""
Model = str | Classifier | ModelRequest


def classifiers(models: Sequence[ModelLike]) -> list[Model]:
    """The same, modules as classifiers: their hash is of the code that lies here, whoever works with them."""
    return [
        from_module(model, ModelRequest(name=type(model).__name__))
        if isinstance(model, nn.Module) and not isinstance(model, Classifier)
        else model
        for model in models
    ]


def portable(models: Sequence[ModelLike]) -> list[Model]:
    """The same for other processes, which may not have the device that a classifier is on."""
    return [
        copy.deepcopy(model).cpu() if isinstance(model, Classifier) and model.mean.device.type != "cpu" else model
        for model in classifiers(models)
    ]


def load_classifier(
    model: str | nn.Module,
    *,
    weights: Path | str | None = None,
    num_classes: int | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    input_size: int | None = None,
    geometry: Mode | None = None,
    model_args: Mapping[str, Any] | None = None,
    trust_checkpoint: bool = False,
    device: str = "auto",
) -> Classifier:
    """A classifier by name (alias, `timm:`, `torchvision:`, `open_clip:`, `file.py:factory`) or from a module.

    A module must be in eval mode and return logits; it gets pixels in [0, 1] unless `mean` and `std` are
    given. Raises MissingInputs, ModelError or UsageError.
    """
    request = ModelRequest(
        name=model if isinstance(model, str) else type(model).__name__,
        weights=None if weights is None else Path(weights),
        num_classes=num_classes,
        mean=None if mean is None else tuple(mean),
        std=None if std is None else tuple(std),
        input_size=input_size,
        geometry=geometry,
        model_args=model_args or {},
        trust_checkpoint=trust_checkpoint,
    )
    place = resolve_device(device)
    if isinstance(model, nn.Module):
        if weights is not None or model_args:
            raise UsageError("weights and model_args go with a model's name, not with a module.")
        return from_module(model, request).to(place)
    if missing := zoo.missing(request):
        raise MissingInputs(missing)
    return zoo.load(request, place)


def from_module(module: nn.Module, request: ModelRequest) -> Classifier:
    """A module the user built, as it is; ModelError if it is in train mode."""
    source = f"module:{type(module).__module__}.{type(module).__qualname__}"
    provenance = Provenance(name=request.name, source=source, label_space="custom")
    return Classifier(module, plain_preprocessing(request), provenance)
