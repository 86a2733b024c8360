"""`load_classifier`: any model as a classifier of pixels."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, Unpack

from torch import nn

from robustbench_eff.core.errors import MissingInputs, ModelError, UsageError
from robustbench_eff.models.classifier import Classifier, Provenance, flags_within
from robustbench_eff.models.exported import as_module, name_of
from robustbench_eff.models.function_network import FunctionNetwork
from robustbench_eff.models.request import ModelOptions, ModelRequest
from robustbench_eff.models.sources.user_module import plain_preprocessing
from robustbench_eff.system.devices import resolve_device

from . import build_model

ModelLike = str | nn.Module | ModelRequest | Callable[..., Any]
"""A model by name, with options, as a module, or as a function from images to logits."""
Model = str | Classifier | ModelRequest


def load_classifier(
    model: str | nn.Module | Callable[..., Any], *, device: str = "auto", **options: Unpack[ModelOptions]
) -> Classifier:
    """Return a model, given by name or as a module, as a classifier of images with pixels in [0, 1].

    Args:
        model: An alias, `timm:NAME`, `torchvision:NAME`, `open_clip:ARCH/TAG`, `hf:ORG/NAME`, `robustbench:NAME`,
            `onnx:FILE`, `tflite:FILE`, `torchscript:FILE`, `exported:FILE`, `vendor/source:NAME` of a plugin,
            `path/to/file.py:factory`, `package.module:factory` or the folder of a training; or a module in eval mode,
            or any function, that returns logits. A function gets a tensor, or a NumPy array if its parameter is
            annotated as one.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        **options: `weights`, `num_classes`, `mean`, `std`, `input_size`, `geometry`, `model_args`,
            `trust_checkpoint`, `trust_code` and `random_weights`; see `ModelOptions`. A module gets pixels in [0, 1]
            unless `mean` and `std` are given.

    Raises:
        MissingInputs: A file or a download that the model needs is missing.
        DownloadError: `weights` is an address, and what is there cannot be downloaded.
        ModelError: The model cannot be built or is not a classifier.
        UsageError: The name or an option is not valid.
        TypeError: There is no option of that name.
    """
    network = as_network(model)
    name = network if isinstance(network, str) else name_of(network)
    request = ModelRequest.from_options(name, options)
    torch_device = resolve_device(device)
    if isinstance(network, nn.Module):
        if request.weights is not None or request.model_args:
            raise UsageError("weights and model_args go with a model's name, not with a module.")
        return from_module(network, request).placed(torch_device)
    if missing := build_model.missing(request):
        raise MissingInputs(missing)
    return build_model.load(request, torch_device)


def as_network(model: Any) -> Any:
    """Return the module of an `ExportedProgram` or of a function, and anything else as it is.

    Args:
        model: What a user gives for a model.

    Raises:
        ModelError: It is a class.
    """
    model = as_module(model)
    if isinstance(model, type):
        raise ModelError(f"{model.__name__} is a class, and not a network.", f"Pass an object: {model.__name__}(...).")
    return FunctionNetwork(model) if callable(model) and not isinstance(model, nn.Module) else model


def from_module(module: nn.Module, request: ModelRequest) -> Classifier:
    """Return a classifier of a module that the user built.

    Args:
        module: Network in eval mode that returns logits.
        request: Its name, normalization, input size and number of outputs.

    Raises:
        ModelError: The module is in train mode, is not a classifier, or has another number of outputs than the request
            says.
    """
    source = f"module:{type(module).__module__}.{type(module).__qualname__}"
    provenance = Provenance(
        name=request.name, source=source, label_space=request.label_space("custom"), flags=flags_within(module)
    )
    classifier = Classifier(module, plain_preprocessing(request), provenance)
    build_model.check_outputs(classifier, request)
    return classifier


def classifiers(models: Sequence[ModelLike]) -> list[Model]:
    """Return the same models, with every module as a classifier.

    A module becomes a classifier before it is sent to other processes, so that its digest covers the source code on
    this machine.

    Args:
        models: Names, requests, modules or classifiers.

    Raises:
        ModelError: A module is in train mode or is not a classifier.
    """
    return [
        from_module(model, ModelRequest(name=name_of(model)))
        if isinstance(model, nn.Module) and not isinstance(model, Classifier)
        else model
        for model in map(as_network, models)
    ]


def portable(models: Sequence[ModelLike]) -> list[Model]:
    """Return the same models for other processes, with every classifier on the CPU.

    Another process may not have the device that a classifier is on; classifiers are copied, not moved.

    Args:
        models: Names, requests, modules or classifiers.

    Raises:
        ModelError: A module is in train mode or is not a classifier.
    """
    return [
        copy.deepcopy(model).cpu() if isinstance(model, Classifier) and model.mean.device.type != "cpu" else model
        for model in classifiers(models)
    ]
