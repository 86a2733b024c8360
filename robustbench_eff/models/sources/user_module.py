"""`path/to/file.py[:factory]` or `package.module:factory`: the user's own `nn.Module`, or function of the images."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from robustbench_eff.core.errors import Missing, ModelError, RobustEvalError
from robustbench_eff.core.preprocessing import Geometry, Preprocessing, size_before_crop
from robustbench_eff.core.user_code import (
    TRACEBACK,
    get_attribute,
    load_module,
    neighbours_first,
    raised_at,
    split_place,
)

from ..assumed import assumed_images, with_num_classes
from ..exported import as_module, set_eval
from ..function_network import FunctionNetwork, takes_images
from ..model_names import names_file
from ..own_factory import resolve
from ..request import LoadedModule, ModelRequest, source_text
from ..weights import load_weights

DEFAULT_SIZE, DEFAULT_CROP = 224, 0.875
SMALL = 64
"""Largest input size, in pixels, for which images are used without resizing; larger ones are resized and cropped."""


@dataclass(frozen=True, slots=True)
class UserModules:
    """Factories, finished modules, or functions from images to logits, in the user's code. See `ModelSource`."""

    def missing(self, target: str, request: ModelRequest) -> list[Missing]:
        """Return the source file and the weights file if they do not exist. See `ModelSource`.

        Args:
            target: `path/to/file.py:factory` or `package.module:factory`.
            request: The user's options.
        """
        file = target.removesuffix(":") if names_file(target) else split_place(target)[0]
        request.origin.check(*((file, "") if names_file(target) else split_place(target)))
        absent = request.missing_weights_file()
        if file.endswith(".py") and not Path(file).expanduser().is_file():
            absent.append(Missing(f"model file {file}", "on this machine", "--model path/to/file.py:factory"))
        elif request.weights_address is None and not absent:
            resolve(target, request)
        return absent

    def build(self, target: str, request: ModelRequest) -> LoadedModule:
        """Call the factory with the model arguments and put its module into eval mode. See `ModelSource`.

        A file is executed anew every time, so that a module it defines is not shared between classifiers.

        Args:
            target: `path/to/file.py:factory`, `path/to/file.py` or `package.module:factory`.
            request: The user's options.
        """
        target, notes = resolve(target, request)
        place, attribute = split_place(target)
        request.origin.check(place, attribute)
        code = load_module(place)
        factory = get_attribute(code, attribute, place)
        request, assumed = with_num_classes(factory, target, request)
        factory = as_module(factory)
        if isinstance(factory, nn.Module):
            request.refuse_model_args(f"{attribute} is a finished module, not a function")
        elif callable(factory) and not isinstance(factory, type):
            given = partial(factory, **request.model_args) if request.model_args else factory
            factory = FunctionNetwork(given) if takes_images(given) else factory
        with neighbours_first(Path(place).expanduser()):
            module = factory if isinstance(factory, nn.Module) else as_module(_call(factory, target, request))
        if callable(module) and not isinstance(module, nn.Module | type):
            module = FunctionNetwork(module)
        if not isinstance(module, nn.Module):
            raise ModelError(f"{target} returned a {type(module).__name__}, not a torch.nn.Module.")
        set_eval(module)
        if request.weights is not None:
            notes = (*notes, *load_weights(module, request.weights, trust=request.trust_checkpoint))
        preprocessing = plain_preprocessing(request)
        return LoadedModule(
            module=module,
            preprocessing=preprocessing,
            source=source_text("user", f"{Path(place).name}:{attribute}", request.model_args),
            label_space=self.label_space(target, request),
            notes=(*notes, *assumed, *assumed_images(request, preprocessing.geometry)),
            all_loaded=request.weights is not None,
        )

    def label_space(self, target: str, request: ModelRequest) -> str:
        """Return what the number of classes suggests, `custom` by default. See `ModelSource`.

        Args:
            target: `path/to/file.py:factory` or `package.module:factory`.
            request: The user's options.
        """
        del target
        return request.label_space("custom")


USER_MODULES = UserModules()


def plain_preprocessing(request: ModelRequest) -> Preprocessing:
    """Return the preprocessing of a module without a configuration: small images as they are, others at 224 pixels.

    Args:
        request: The user's options, which take precedence.

    Raises:
        ModelError: `mean` or `std` has neither one value nor three.
        UsageError: A value is not valid.
    """
    size = request.input_size or (request.images_sizes[0] if len(request.images_sizes) == 1 else DEFAULT_SIZE)
    geometry = Geometry(size=size, mode="none")
    if geometry.long_side > SMALL:
        geometry = Geometry(size=size, mode="crop", resize=size_before_crop(size, DEFAULT_CROP))
    return request.adapt(Preprocessing(geometry=geometry), DEFAULT_CROP)


def _call(factory: Any, target: str, request: ModelRequest) -> Any:
    if not callable(factory):
        raise ModelError(f"{target} is a {type(factory).__name__}, neither a torch.nn.Module nor a function.")
    try:
        inspect.signature(factory).bind(**request.model_args)
    except TypeError as error:
        arguments = ", ".join(f"{key}={value!r}" for key, value in request.model_args.items())
        raise ModelError(
            f"{target} cannot be called with ({arguments}): {error}.",
            "Pass its arguments with --model-arg KEY=VALUE; if it is itself the network, call its parameter `images`.",
        ) from error
    except ValueError:
        pass  # the signature of a function in C is not known
    try:
        return factory(**request.model_args)
    except RobustEvalError:
        raise
    except Exception as error:
        raise ModelError(f"{target} raised {type(error).__name__}: {error} ({raised_at(error)})", TRACEBACK) from error
