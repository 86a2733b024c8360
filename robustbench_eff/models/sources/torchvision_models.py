"""`torchvision:NAME`: a torchvision classifier, or a weights entry such as `AlexNet_Weights.IMAGENET1K_V1`."""

from __future__ import annotations

from typing import Any

from robustbench_eff.core.errors import Missing, ModelError, did_you_mean
from robustbench_eff.core.preprocessing import Geometry, Preprocessing
from robustbench_eff.system import network

from ..request import LoadedModule, ModelRequest, label_space_of, source_text
from ..weights import load_weights


def missing(name: str, request: ModelRequest) -> list[Missing]:
    """The weights, unless a file is given, torch.hub has them or the download host can be reached."""
    _, weights = _entry(name)
    if request.weights is not None:
        return request.missing_weights_file()
    if network.cached_by_torch(weights.url) or network.reachable("download.pytorch.org"):
        return []
    return [Missing(f"weights of {request.name} (the download host cannot be reached)", weights.url, "--weights FILE")]


def build(name: str, request: ModelRequest) -> LoadedModule:
    """The model in eval mode with the preprocessing of its weights entry."""
    import torchvision.models

    architecture, weights = _entry(name)
    arguments = dict(request.model_args)
    if request.num_classes is not None:
        arguments["num_classes"] = request.num_classes
    try:
        own = weights if request.weights is None else None
        if own is None:
            arguments = _as_pretrained(architecture, weights) | arguments
        module = torchvision.models.get_model(architecture, weights=own, **arguments).eval()
    except Exception as error:
        text = source_text("torchvision", name, arguments)
        raise ModelError(f"torchvision cannot build {text}: {error}") from error
    notes: tuple[str, ...] = ()
    if request.weights is not None:
        notes = load_weights(module, request.weights, trust=request.trust_checkpoint)
    transform = weights.transforms()
    size, resize = transform.crop_size[0], transform.resize_size[0]
    geometry = Geometry(size=size, resize=resize, interpolation=transform.interpolation.value)
    preprocessing = Preprocessing(geometry=geometry, mean=tuple(transform.mean), std=tuple(transform.std))
    num_classes = arguments.get("num_classes", len(weights.meta["categories"]))
    return LoadedModule(
        module=module,
        preprocessing=request.adapt(preprocessing, size / resize),
        source=source_text("torchvision", name, arguments),
        label_space=label_space_of(num_classes),
        notes=notes,
    )


def _as_pretrained(architecture: str, weights: Any) -> dict[str, Any]:
    """What torchvision sets by itself only when it loads its own weights."""
    if architecture in ("googlenet", "inception_v3"):
        return {"transform_input": True, "init_weights": False}
    if architecture.startswith("vit_"):
        return {"image_size": weights.transforms().crop_size[0]}
    return {}


def _entry(name: str) -> tuple[str, Any]:
    """Architecture and weights entry; the best weights for a bare architecture name."""
    import torchvision.models

    names = torchvision.models.list_models(module=torchvision.models)
    entries = {model: torchvision.models.get_model_weights(model) for model in names}
    if name in entries:
        return name, entries[name].DEFAULT
    enumeration, _, member = name.partition(".")
    for model, entry in entries.items():
        if entry.__name__ == enumeration and member in entry.__members__:
            return model, entry[member]
    known = [*names, *(f"{entry.__name__}.{key}" for entry in entries.values() for key in entry.__members__)]
    raise ModelError(f"torchvision has no classifier {name!r}.", did_you_mean(name, known))
