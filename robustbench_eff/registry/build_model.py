"""Model sources and classifiers from the names of models."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from robustbench_eff.core.errors import Missing, ModelError, UsageError
from robustbench_eff.models.aliases import aliases
from robustbench_eff.models.classifier import Classifier, Provenance, flags_within
from robustbench_eff.models.downloaded_weights import with_local_weights
from robustbench_eff.models.lone_file import explained
from robustbench_eff.models.model_names import looks_like_file, names_file, unknown
from robustbench_eff.models.request import ModelRequest
from robustbench_eff.models.source import ModelSource
from robustbench_eff.models.sources.trained import is_trained
from robustbench_eff.models.unloaded_weights import accounted_for
from robustbench_eff.system.addresses import is_address

from .model_sources import FORMS, MODEL_SOURCES, PUBLISHED, TRAINED, UNPREFIXED_SOURCES, USER
from .plugins import Plugin
from .table import Row


class _Resolved(NamedTuple):
    source: ModelSource
    target: str
    """Name of the model within the source."""


def missing(request: ModelRequest) -> list[Missing]:
    """Return everything that prevents a model from being loaded.

    Args:
        request: The model and the user's options.

    Raises:
        UsageError: The name does not belong to any source.
        ModelError: Its source does not know the model.
        MissingExtra: The source needs a package that is not installed.
    """
    source, target = _resolve(request.form)
    if request.weights_address is not None:
        request = replace(request, weights=Path(request.weights_address.name))  # a file that will be there
    return source.missing(target, request)


def load(request: ModelRequest, device: str = "cpu") -> Classifier:
    """Return the classifier that a request describes.

    Args:
        request: The model and the user's options.
        device: Torch device of the classifier.

    Raises:
        UsageError: The name does not belong to any source, or its code cannot be imported.
        ModelError: The model cannot be built, does not fit its weights, has weights that nobody loaded, is not a
            classifier, or has another number of outputs than the request says.
        DownloadError: The weights cannot be downloaded, or are not those that were asked for.
    """
    source, target = _resolve(request.form)
    request = with_local_weights(request)
    built = accounted_for(partial(source.build, target, request), request, device)
    provenance = Provenance(
        name=request.name,
        source=built.source,
        label_space=built.label_space,
        notes=(*request.assumed, *built.notes, *_downloaded_from(request)),
        flags=tuple(dict.fromkeys((*built.flags, *flags_within(built.module)))),
        weights_from=built.weights_from if request.weights_address is None else request.weights_address.recorded,
        architecture=built.architecture,
        defense=built.defense,
    )
    classifier = Classifier(built.module.to(device), built.preprocessing, provenance, built.class_names)
    check_outputs(classifier, request)
    return classifier.to(device)  # a black box has no tensors that say where its images are


def _downloaded_from(request: ModelRequest) -> tuple[str, ...]:
    return () if request.weights_address is None else (f"downloaded from {request.weights_address.recorded}",)


def check_outputs(classifier: Classifier, request: ModelRequest) -> None:
    """Raise ModelError if a classifier has another number of outputs than the request says.

    Args:
        classifier: The classifier.
        request: The user's options.
    """
    outputs = 2 if request.num_classes == 1 else request.num_classes  # a single output decides between two classes
    if outputs is not None and classifier.num_classes != outputs:
        raise ModelError(
            f"{request.name} has {classifier.num_classes} outputs, not the {request.num_classes} of --num-classes.",
            "Pass the number the weights were trained for.",
        )


def expected_label_space(request: ModelRequest) -> str:
    """Return the label space that a model probably has, without loading it.

    Args:
        request: The model and the user's options.

    Raises:
        UsageError: The name does not belong to any source.
    """
    source, target = _resolve(request.form)
    return source.label_space(target, request)


def _resolve(name: str) -> _Resolved:
    """The source that builds a name, and the name within that source."""
    row, target = _find(name)
    source: ModelSource = row.load()
    return _Resolved(source, target)


def _find(name: str) -> tuple[Row | Plugin, str]:
    if name in aliases():
        alias = aliases()[name]
        if alias.source in MODEL_SOURCES:
            return MODEL_SOURCES[alias.source], alias.target
        return MODEL_SOURCES[PUBLISHED], name
    prefix, colon, target = name.partition(":")
    if colon and prefix in MODEL_SOURCES:
        return MODEL_SOURCES[prefix], target
    if is_address(name):
        raise UsageError(
            f"{name} is an address, not the name of a model.",
            "A model of the hub is hf:ORG/NAME; the address of a file of weights goes to --weights.",
        )
    if is_trained(name):
        return UNPREFIXED_SOURCES[TRAINED], name
    if colon or names_file(name):
        return UNPREFIXED_SOURCES[USER], name
    if (Path(name).expanduser() / "config.json").is_file():
        folder = name if name.startswith((".", "/", "~")) else f"./{name}"
        raise UsageError(f"Unknown model {name!r}.", f"If transformers saved that folder: hf:{folder}")
    raise explained(name) if looks_like_file(name) else unknown(name, FORMS)
