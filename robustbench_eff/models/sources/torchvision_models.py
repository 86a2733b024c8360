"""`torchvision:NAME`: a torchvision classifier, or a weights entry such as `AlexNet_Weights.IMAGENET1K_V1`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from robustbench_eff.core.errors import Missing, ModelError, did_you_mean, in_one_line
from robustbench_eff.core.preprocessing import Geometry, Preprocessing
from robustbench_eff.system import hub_downloads, network

from ..assumed import with_outputs_of_weights
from ..request import LoadedModule, ModelRequest, label_space_of, source_text
from ..weights import load_weights


@dataclass(frozen=True, slots=True)
class TorchvisionModels:
    """Classifiers of torchvision. See `ModelSource`."""

    def missing(self, target: str, request: ModelRequest) -> list[Missing]:
        """Return the weights if they are neither a file, nor cached, nor available for download. See `ModelSource`.

        Args:
            target: Name of a model or of a weights entry.
            request: The user's options.
        """
        _, weights = _entry(target)
        if request.weights is not None:
            return request.missing_weights_file()
        if network.cached_by_torch(weights.url) or network.reachable("download.pytorch.org"):
            return []
        what = f"weights of {request.name} (the download host cannot be reached)"
        return [Missing(what, weights.url, "--weights FILE")]

    def build(self, target: str, request: ModelRequest) -> LoadedModule:
        """Return the model with the preprocessing of its weights entry. See `ModelSource`.

        Args:
            target: Name of a model or of a weights entry.
            request: The user's options.
        """
        import torchvision.models

        architecture, weights = _entry(target)
        request, notes = with_outputs_of_weights(
            f"torchvision:{architecture}", request, len(weights.meta["categories"])
        )
        arguments = dict(request.model_args)
        if request.num_classes is not None:
            arguments["num_classes"] = request.num_classes
        try:
            pretrained = weights if request.weights is None else None
            if pretrained is None:
                arguments = _as_pretrained(architecture, weights) | arguments
            with hub_downloads.download_errors(weights.url, ModelError):
                module = torchvision.models.get_model(architecture, weights=pretrained, **arguments).eval()
        except ModelError:
            raise
        except Exception as error:
            source = source_text("torchvision", target, arguments)
            hint = "" if request.num_classes is None else "Leave out --num-classes, or pass a file with --weights FILE."
            raise ModelError(f"torchvision cannot build {source}: {in_one_line(error)}", hint) from error
        if request.weights is not None:
            notes = (*notes, *load_weights(module, request.weights, trust=request.trust_checkpoint))
        transform = weights.transforms()
        size, resize = transform.crop_size[0], transform.resize_size[0]
        geometry = Geometry(size=size, resize=resize, interpolation=transform.interpolation.value)
        preprocessing = Preprocessing(geometry=geometry, mean=tuple(transform.mean), std=tuple(transform.std))
        num_classes = arguments.get("num_classes", len(weights.meta["categories"]))
        return LoadedModule(
            module=module,
            preprocessing=request.adapt(preprocessing, size / resize),
            source=source_text("torchvision", target, arguments),
            label_space=label_space_of(num_classes),
            notes=notes,
            all_loaded=request.weights is not None,
        )

    def label_space(self, target: str, request: ModelRequest) -> str:
        """Return what the number of classes suggests, `imagenet` by default. See `ModelSource`.

        Args:
            target: Name of a model or of a weights entry.
            request: The user's options.
        """
        del target
        return request.label_space("imagenet")


TORCHVISION = TorchvisionModels()


def _as_pretrained(architecture: str, weights: Any) -> dict[str, Any]:
    """The arguments that torchvision sets only when it loads its own weights."""
    if architecture in ("googlenet", "inception_v3"):
        return {"transform_input": True, "init_weights": False}
    if architecture.startswith("vit_"):
        return {"image_size": weights.transforms().crop_size[0]}
    return {}


def _entry(name: str) -> tuple[str, Any]:
    """Architecture and weights entry; the best weights for an architecture's name alone."""
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
    raise ModelError(f"torchvision does not have a classifier {name!r}.", did_you_mean(name, known))
