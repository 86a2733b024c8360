"""`timm:NAME`: any timm architecture, with its own weights, those of a file, or those of a repository of the hub."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robustbench_eff.core.errors import Missing, ModelError, did_you_mean, in_one_line
from robustbench_eff.core.outside_files import read_json
from robustbench_eff.core.preprocessing import Geometry, Preprocessing, size_before_crop
from robustbench_eff.core.tensor_files import read_tensor_file
from robustbench_eff.system import hub_downloads, network
from robustbench_eff.system.hub_downloads import Repository

from ..aliases import aliases
from ..assumed import with_outputs_of_weights
from ..request import IMAGENET, LoadedModule, ModelRequest, label_space_of, source_text
from ..weights import load_weights

if TYPE_CHECKING:
    from torch import nn

WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")
HUB = "hf-hub:"
"""Beginning of a target that names a repository of the hub and not an architecture of timm."""
CONFIG = "config.json"
MODES = {"center": "crop", "squash": "squash"}


@dataclass(frozen=True, slots=True)
class TimmModels:
    """Models of timm. See `ModelSource`."""

    def missing(self, target: str, request: ModelRequest) -> list[Missing]:
        """Return the weights if they are neither a file, nor cached, nor available for download. See `ModelSource`.

        Args:
            target: Name of a timm model, with or without a tag; or `hf-hub:ORG/NAME[@REVISION]`.
            request: The user's options.
        """
        if target.startswith(HUB):
            repository = _repository(target)
            how = f"`hf download {repository.id}` where the hub can be reached"
            found = hub_downloads.missing(repository, (CONFIG,), f"files of {request.name}", how, option="")
            return request.missing_weights_file() + found
        if request.weights is not None:
            return request.missing_weights_file()
        alias = aliases().get(request.name)
        if alias is not None and alias.hub_id is not None:
            # The table of aliases has the repository, so timm, which is slow to import, is not needed.
            return _missing_from_hub(Repository(alias.hub_id), WEIGHT_FILES, request)
        config = _config(target)
        if not _has_weights(config):
            if request.random_weights:
                return []
            tags = _tags(target)
            how = f"--model timm:{tags[0]}, or --weights FILE" if tags else "--weights FILE"
            what = f"weights of {request.name}: timm has none under this name"
            return [Missing(what, "nowhere in timm", how)]
        if config.hf_hub_id:
            files = (config.hf_hub_filename or WEIGHT_FILES[0], *WEIGHT_FILES)
            return _missing_from_hub(Repository(config.hf_hub_id), files, request)
        if network.cached_by_torch(config.url) or network.reachable("github.com"):
            return []
        return [Missing(f"weights of {request.name} (the host cannot be reached)", config.url, "--weights FILE")]

    def build(self, target: str, request: ModelRequest) -> LoadedModule:
        """Return the model with the preprocessing of its pretrained configuration at test size. See `ModelSource`.

        Args:
            target: Name of a timm model, with or without a tag; or `hf-hub:ORG/NAME[@REVISION]`.
            request: The user's options.
        """
        notes: tuple[str, ...] = ()
        if not target.startswith(HUB):
            config = _config(target)
            default = IMAGENET if config is None else config.num_classes
            request, notes = with_outputs_of_weights(f"timm:{target}", request, default)
        arguments = dict(request.model_args)
        if request.num_classes is not None:
            arguments["num_classes"] = request.num_classes
        if target.startswith(HUB):
            module, target, notes = _from_hub(target, arguments, request)
        else:
            published = _has_weights(_config(target)) or not request.random_weights
            module = _create(target, arguments, pretrained=request.weights is None and published)
        if not module.num_classes:
            raise ModelError(
                f"{request.name} has no classifier: its weights were trained without classes.",
                "Pass a file with a trained last layer: --num-classes N --weights FILE.",
            )
        if request.weights is not None:
            notes = (*notes, *load_weights(module, request.weights, trust=request.trust_checkpoint))
        return LoadedModule(
            module=module,
            preprocessing=_preprocessing(target, module, request),
            source=source_text("timm", target, arguments),
            label_space=label_space_of(module.num_classes),
            notes=notes,
            all_loaded=request.weights is not None,
        )

    def label_space(self, target: str, request: ModelRequest) -> str:
        """Return what the number of classes suggests, `imagenet` by default. See `ModelSource`.

        Args:
            target: Name of a timm model, with or without a tag; or `hf-hub:ORG/NAME[@REVISION]`.
            request: The user's options.
        """
        del target
        return request.label_space("imagenet")


TIMM = TimmModels()


def untrained(name: str, arguments: Mapping[str, Any]) -> nn.Module:
    """Return an architecture with timm's initialization, in eval mode.

    Args:
        name: Name of a timm model.
        arguments: Keyword arguments for timm.

    Raises:
        ModelError: timm does not know the name, or cannot build it with these arguments.
    """
    _config(name)
    return _create(name, arguments, pretrained=False)


def _missing_from_hub(repository: Repository, files: tuple[str, ...], request: ModelRequest) -> list[Missing]:
    return hub_downloads.missing(repository, files, f"weights of {request.name}", "--weights FILE")


def _repository(target: str) -> Repository:
    return hub_downloads.parse_repository(target.removeprefix(HUB), f"timm:{HUB}", ModelError)


def _from_hub(target: str, arguments: Mapping[str, Any], request: ModelRequest) -> tuple[Any, str, tuple[str, ...]]:
    """The network of a repository, the target with its commit, and notes."""
    repository = _repository(target)
    folder = hub_downloads.snapshot(repository, (CONFIG, WEIGHT_FILES[0]), ModelError)
    pinned = repository._replace(revision=folder.name)
    if not (folder / CONFIG).is_file() or "architecture" not in read_json(folder / CONFIG, ModelError):
        raise ModelError(f"{repository.id} is not a model of timm.", f"Models of transformers are hf:{repository.id}")
    safe, pickled = (folder / name for name in WEIGHT_FILES)
    is_safe, needed = safe.is_file(), request.weights is None and not request.random_weights
    module: Any = _create(f"local-dir:{folder}", arguments, pretrained=is_safe and request.weights is None)
    notes: tuple[str, ...] = ()
    if needed and not is_safe:
        hub_downloads.snapshot(pinned, WEIGHT_FILES[1:], ModelError)
        if not pickled.is_file():
            raise ModelError(f"{repository.id} has none of the files {', '.join(WEIGHT_FILES)}.", "--weights FILE")
        notes = load_weights(module, pickled, trust=request.trust_checkpoint)
    module.pretrained_cfg.pop("file", None)  # else the path of this machine would be part of the model's hash
    return module, f"{HUB}{repository.id}@{folder.name}", notes


def _preprocessing(name: str, module: nn.Module, request: ModelRequest) -> Preprocessing:
    from timm.data import resolve_model_data_config

    config = resolve_model_data_config(module, use_test_size=True)
    if config["crop_mode"] not in MODES and request.geometry is None:
        raise ModelError(f"{name} needs crop mode {config['crop_mode']!r}.", "Choose with --geometry crop or squash.")
    mode = MODES.get(config["crop_mode"], "crop")
    size, crop_pct = config["input_size"][-2:], config["crop_pct"]
    geometry = Geometry(
        size=size,
        mode=mode,  # type: ignore[arg-type]
        resize=size_before_crop(size, crop_pct) if mode == "crop" else None,
        interpolation=config["interpolation"],
    )
    preprocessing = Preprocessing(geometry=geometry, mean=tuple(config["mean"]), std=tuple(config["std"]))
    return request.adapt(preprocessing, crop_pct)


def _create(name: str, arguments: Mapping[str, Any], *, pretrained: bool) -> nn.Module:
    import timm

    folder = Path(name.removeprefix("local-dir:")) if name.startswith("local-dir:") else None
    config = _config(name) if pretrained and folder is None else None
    place: Repository | str = name
    if config is not None and config.has_weights:
        place = Repository(config.hf_hub_id) if config.hf_hub_id else config.url
    try:
        with hub_downloads.download_errors(place, ModelError):
            module: nn.Module = timm.create_model(name, pretrained=pretrained, **arguments)
    except ModelError:
        raise
    except Exception as error:
        if folder is not None and pretrained:
            read_tensor_file(folder / WEIGHT_FILES[0], ModelError)  # which says what is wrong with a damaged file
        source = source_text("timm", name if folder is None else f"{HUB} {folder.name}", arguments)
        raise ModelError(f"timm cannot build {source}: {in_one_line(error)}") from error
    return module.eval()


def _config(name: str) -> Any:
    """The pretrained configuration of timm; ModelError with the closest names for an unknown model or tag."""
    import timm
    from timm.models import get_pretrained_cfg

    architecture, _, tag = name.partition(".")
    if not timm.is_model(architecture):
        hint = did_you_mean(name, [*timm.list_models(), *timm.list_pretrained()])
        raise ModelError(f"timm does not have a model {architecture!r}.", hint)
    if tag and name not in (tags := _tags(name)):
        raise ModelError(f"timm does not have weights {name!r}.", f"It has {', '.join(tags) or 'none'}.")
    return get_pretrained_cfg(name, allow_unregistered=False)


def _has_weights(config: Any) -> bool:
    return config is not None and bool(config.has_weights)


def _tags(name: str) -> list[str]:
    import timm

    architecture = name.partition(".")[0]
    return [model for model in timm.list_pretrained(f"{architecture}.*") if isinstance(model, str)]
