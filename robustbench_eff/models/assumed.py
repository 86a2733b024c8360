"""What is assumed about a network that says nothing of itself: one line each, with the option that says otherwise."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

from torch import nn

from robustbench_eff.core.errors import UsageError
from robustbench_eff.core.preprocessing import Geometry, size_text

from .factories import NUM_CLASSES
from .known_architectures import fit_of
from .request import ModelRequest
from .state_facts import outputs_of, unwrapped
from .weights import read_state

PIXELS = "assumed: the network gets pixels in [0, 1], not normalized (--mean, --std)"
"""Line on a network that does not say how pixels are normalized."""


def assumed_images(request: ModelRequest, geometry: Geometry) -> tuple[str, ...]:
    """Return what was assumed about the images of a network that does not say how they are prepared.

    Args:
        request: The user's options.
        geometry: Size of its images, and how they get it.
    """
    lines = [] if request.mean is not None else [PIXELS]
    if request.input_size is None:
        named = " and ".join(map(size_text, request.images_sizes))
        differ = f", as the sets have {named}; evaluate one set at a time to take its images as they are"
        whose = {0: "", 1: ", their own size"}.get(len(request.images_sizes), differ)
        lines.append(f"assumed: images of {size_text(geometry.size)} pixels{whose} (--input-size)")
    if request.geometry is None and geometry.mode == "crop":
        lines.append(f"assumed: images are cropped: {geometry} (--geometry)")
    return tuple(lines)


def with_num_classes(factory: Any, target: str, request: ModelRequest) -> tuple[ModelRequest, tuple[str, ...]]:
    """Return a request whose model arguments hold the number of classes, if a factory takes `num_classes`, and notes.

    It is that of the user, else the number of outputs in the weights. A default is left as it is where it is the same.

    Args:
        factory: The user's object.
        target: Its name, for messages.
        request: The user's options.

    Raises:
        UsageError: It needs the number of classes, and nothing says it.
        ModelError: The weights cannot be read.
    """
    if isinstance(factory, nn.Module) or not callable(factory) or NUM_CLASSES in request.model_args:
        return request, ()
    try:
        parameter = inspect.signature(factory).parameters.get(NUM_CLASSES)
    except ValueError:  # the signature of a function in C is not known
        return request, ()
    if parameter is None:
        return request, ()
    number, notes = request.num_classes, tuple[str, ...]()
    if number is None and request.weights is not None:
        number = outputs_of(read_state(request.weights, trust=request.trust_checkpoint)[0])
        notes = (_outputs_line(number, request),)
    if number is None and parameter.default is parameter.empty:
        raise UsageError(f"{target} needs the number of classes.", "Pass it: --num-classes N")
    if number is None or number == parameter.default:
        return request, ()
    return dataclasses.replace(request, model_args={**request.model_args, NUM_CLASSES: number}), notes


def with_outputs_of_weights(name: str, request: ModelRequest, default: int) -> tuple[ModelRequest, tuple[str, ...]]:
    """Return a request with the number of outputs that its weights have, if it states none and they differ, and notes.

    Args:
        name: Architecture that the weights must fit, such as `timm:resnet18`.
        request: The user's options.
        default: Number of outputs of the architecture.

    Raises:
        ModelError: The weights cannot be read.
    """
    if request.weights is None or request.num_classes is not None or NUM_CLASSES in request.model_args:
        return request, ()
    state = unwrapped(read_state(request.weights, trust=request.trust_checkpoint)[0])
    if outputs_of(state) in (None, default):
        return request, ()
    fit = fit_of(name, state)
    if fit is None or fit.num_classes is None:
        return request, ()  # what does not fit is said when it is loaded
    return dataclasses.replace(request, num_classes=fit.num_classes), (_outputs_line(fit.num_classes, request),)


def _outputs_line(number: int | None, request: ModelRequest) -> str:
    assert request.weights is not None
    return f"assumed: {number} classes, the outputs of the last layer in {request.weights.name} (--num-classes)"
