"""`package.module:factory` or `path/to/file.py:factory`: the user's own `nn.Module`."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from robustbench_eff.core.errors import Missing, ModelError, RobustEvalError, did_you_mean
from robustbench_eff.core.preprocessing import Geometry, Mode, Preprocessing

from ..request import LoadedModule, ModelRequest, label_space_of, source_text
from ..weights import load_weights

DEFAULT_SIZE, DEFAULT_CROP = 224, 0.875
SMALL = 64
"""Up to this size images are taken as they are; larger ones are resized and cropped."""


def missing(name: str, request: ModelRequest) -> list[Missing]:
    """The source file and the weights file, where named and not there."""
    file = name.rpartition(":")[0]
    absent = request.missing_weights_file()
    if file.endswith(".py") and not Path(file).is_file():
        absent.append(Missing(f"model file {file}", "on this machine", "--model path/to/file.py:factory"))
    return absent


def build(name: str, request: ModelRequest) -> LoadedModule:
    """Call the factory with the model arguments and put the module it returns into eval mode."""
    place, _, attribute = name.rpartition(":")
    code = _imported(place)
    factory = getattr(code, attribute, None)
    if factory is None:
        raise ModelError(f"{place} has no {attribute!r}.", did_you_mean(attribute, vars(code)))
    module = factory if isinstance(factory, nn.Module) else _called(factory, name, request)
    if not isinstance(module, nn.Module):
        raise ModelError(f"{name} returned a {type(module).__name__}, not a torch.nn.Module.")
    module.eval()
    notes: tuple[str, ...] = ()
    if request.weights is not None:
        notes = load_weights(module, request.weights, trust=request.trust_checkpoint)
    if request.mean is None and request.std is None:
        notes = (*notes, "no --mean and --std given: the module gets pixels in [0, 1]")
    return LoadedModule(
        module=module,
        preprocessing=plain_preprocessing(request),
        source=source_text("user", f"{Path(place).name}:{attribute}", request.model_args),
        label_space="custom" if request.num_classes is None else label_space_of(request.num_classes),
        notes=notes,
        code=None if code.__file__ is None else Path(code.__file__),
    )


def plain_preprocessing(request: ModelRequest) -> Preprocessing:
    """For a module that brings no configuration: 224 pixels, no normalisation, unless the user says."""
    size = request.input_size or DEFAULT_SIZE
    mode: Mode = "none" if size <= SMALL else "crop"
    geometry = Geometry(size=size, mode=mode, resize=int(size / DEFAULT_CROP) if mode == "crop" else None)
    return request.adapt(Preprocessing(geometry=geometry), DEFAULT_CROP)


def _called(factory: Any, name: str, request: ModelRequest) -> Any:
    try:
        return factory(**request.model_args)
    except Exception as error:
        raise ModelError(
            f"{name} cannot be called with {dict(request.model_args)}: {type(error).__name__}: {error}",
            "Pass its arguments with --model-arg KEY=VALUE.",
        ) from error


def _imported(place: str) -> ModuleType:
    """The user's module; a file may import its neighbours."""
    is_file = place.endswith(".py")
    folder = str(Path(place).parent.resolve() if is_file else Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        if not is_file:
            return importlib.import_module(place)
        # A name of its own: a file called copy.py must not replace the standard one, nor another of that name.
        which = hashlib.blake2b(str(Path(place).resolve()).encode(), digest_size=4).hexdigest()
        name = f"_robust_eval_user_{Path(place).stem}_{which}"
        spec = importlib.util.spec_from_file_location(name, place)
        if spec is None or spec.loader is None:
            raise ModelError(f"{place} cannot be imported.")
        code = importlib.util.module_from_spec(spec)
        sys.modules[name] = code  # dataclasses and pickle look a module up by name
        spec.loader.exec_module(code)
    except RobustEvalError:
        raise
    except Exception as error:
        raise ModelError(
            f"{place} cannot be imported: {type(error).__name__}: {error}", "Is it on the Python path?"
        ) from error
    return code
