"""A YAML file of models: what the user calls each, what finds it, and its own options.

ResNet-20:
  model: nets.py:resnet20
  weights: resnet20.safetensors
  mean: [0.4914, 0.4822, 0.4465]
  std: [0.2470, 0.2435, 0.2616]
Lite: timm:tf_efficientnet_lite0
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, RootModel

from robustbench_eff.core.errors import UsageError
from robustbench_eff.core.outside_files import read_text
from robustbench_eff.core.preprocessing import Mode, Size
from robustbench_eff.models.request import ModelRequest, normalization_fields, weights_fields
from robustbench_eff.storage.model_names import check_model_name
from robustbench_eff.system.addresses import is_address

from .suite import read_yaml

HINT = "Write NAME: MODEL, or NAME: with model, weights, mean, std and so on below it; see docs/models.md."
FILES = ("onnx", "tflite", "torchscript", "exported")
"""Sources whose targets are files."""


def _listed(given: Any) -> Any:
    """One value as a list, so that messages are about the values and not about forms of a list."""
    return given if given is None or isinstance(given, list) else [given]


def _named(entry: Any) -> Any:
    """A model that is written as a text, with the name of its field."""
    return {"model": entry} if isinstance(entry, str) else entry


class _Entry(BaseModel):
    """One model."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model: str
    weights: str | None = None
    num_classes: int | None = Field(default=None, ge=1)
    mean: Annotated[list[float] | None, BeforeValidator(_listed)] = None
    std: Annotated[list[float] | None, BeforeValidator(_listed)] = None
    input_size: Annotated[list[int] | None, BeforeValidator(_listed)] = None
    geometry: Mode | None = None
    model_args: dict[str, Any] = Field(default_factory=dict)
    random_weights: bool = False


class _File(RootModel[dict[str, Annotated[_Entry, BeforeValidator(_named)]]]):
    """All models by their names."""


def read_models(path: Path, *, trust_code: bool = False, trust_checkpoint: bool = False) -> list[ModelRequest]:
    """Return the models of a file, in its order. Relative paths in it start at its folder.

    Args:
        path: The YAML file.
        trust_code: Run the programs that the file names, such as `nets.py:resnet20`.
        trust_checkpoint: Unpickle the files of weights that it names, which can run code.

    Raises:
        UsageError: The file cannot be read, names no model, or an entry is wrong; the message names it.
    """
    entries = read_yaml(_File, read_text(path, UsageError), str(path), HINT).root
    if not entries:
        raise UsageError(f"{path} names no model.", HINT)
    requests = [_request(name, entry, path) for name, entry in entries.items()]
    return [replace(request, trust_code=trust_code, trust_checkpoint=trust_checkpoint) for request in requests]


def _request(name: str, entry: _Entry, path: Path) -> ModelRequest:
    check_model_name(name)
    weights = entry.weights
    if weights is not None and not is_address(weights):
        weights = str(path.parent / weights)
    try:
        return ModelRequest(
            name=name,
            found_by=_located(entry.model, path.parent),
            **weights_fields(weights),
            num_classes=entry.num_classes,
            **normalization_fields(entry.mean, entry.std),
            input_size=_size(entry.input_size),
            geometry=entry.geometry,
            model_args=entry.model_args,
            random_weights=entry.random_weights,
            named_in=str(path),
        )
    except UsageError as error:
        raise UsageError(f"{path}: {name}: {error.message}", error.hint) from error


def _located(form: str, folder: Path) -> str:
    """A form of name whose path starts at the folder of the file."""
    head, _, tail = form.partition(":")
    if head in FILES and tail:
        return f"{head}:{folder / tail}"
    if head.endswith(".py"):
        return f"{folder / head}:{tail}" if tail else str(folder / head)
    if form.startswith("hf:."):
        return f"hf:{folder / tail}" if (folder / tail).is_absolute() else f"hf:./{folder / tail}"
    return str(folder / form) if (folder / form).is_dir() else form


def _size(given: list[int] | None) -> Size | None:
    if given is None or len(given) == 1:
        return None if given is None else given[0]
    if len(given) != 2:
        raise UsageError(f"input_size {given} is not a height and a width.", "Write 224, or [224, 160].")
    return given[0], given[1]
