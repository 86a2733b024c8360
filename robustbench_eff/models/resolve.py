"""`load_classifier`: which source a name is for, and the classifier it gives."""

from __future__ import annotations

from types import ModuleType

from robustbench_eff.core.errors import Missing, ModelError, UsageError, did_you_mean

from . import aliases
from .classifier import Classifier, Provenance
from .request import LoadedModule, ModelRequest, label_space_of
from .sources import (
    open_clip_models,
    published_checkpoints,
    shipped,
    timm_models,
    torchvision_models,
    trained,
    user_module,
)

PREFIXES: dict[str, ModuleType] = {
    "open_clip": open_clip_models,
    "shipped": shipped,
    "timm": timm_models,
    "torchvision": torchvision_models,
}


def missing(request: ModelRequest) -> list[Missing]:
    """What keeps the model from being loaded; ModelError for a name that means nothing."""
    source, target = _resolve(request.name)
    if source is published_checkpoints:
        return published_checkpoints.missing(aliases.aliases()[request.name], request)
    found: list[Missing] = source.missing(target, request)
    return found


def load(request: ModelRequest, device: str = "cpu") -> Classifier:
    """The classifier on `device`; ModelError or UsageError says why there is none."""
    source, target = _resolve(request.name)
    built: LoadedModule
    if source is published_checkpoints:
        built = published_checkpoints.build(aliases.aliases()[request.name], request)
    else:
        built = source.build(target, request)
    provenance = Provenance(name=request.name, source=built.source, label_space=built.label_space, notes=built.notes)
    classifier = Classifier(built.module.to(device), built.preprocessing, provenance, built.code)
    if request.num_classes is not None and classifier.num_classes != request.num_classes:
        raise ModelError(
            f"{request.name} has {classifier.num_classes} outputs, not the {request.num_classes} of --num-classes.",
            "Pass the number the weights were trained for.",
        )
    return classifier


def _resolve(name: str) -> tuple[ModuleType, str]:
    """The module that builds a name, and the name as that module knows it."""
    alias = aliases.aliases().get(name)
    if alias is not None:
        return PREFIXES.get(alias.source, published_checkpoints), alias.target
    prefix, colon, target = name.partition(":")
    if colon and prefix in PREFIXES:
        return PREFIXES[prefix], target
    if trained.is_trained(name):
        return trained, name
    if colon:
        return user_module, name
    known = [*aliases.aliases(), *(f"{prefix}:NAME" for prefix in PREFIXES)]
    raise UsageError(
        f"Unknown model {name!r}.",
        f"{did_you_mean(name, known)}\nList the names with `robust-eval list models PATTERN`; "
        "other forms: timm:NAME, torchvision:NAME, open_clip:ARCH/TAG, path/to/file.py:factory, "
        "the folder of a training.".lstrip(),
    )


def expected_label_space(request: ModelRequest) -> str:
    """The label space, before anything is loaded."""
    source, _ = _resolve(request.name)
    if source is shipped:
        return "digits"
    if source is trained and not missing(request):
        return trained.card(request.name).label_space
    if request.num_classes is not None:
        return label_space_of(request.num_classes)
    return "custom" if source is user_module else "imagenet"
