"""`open_clip:ARCH/TAG`: a CLIP image tower with a zero-shot head built from class names and prompt templates.

`open_clip:hf-hub:ORG/NAME[@REVISION]` is one from a repository of the hub.

Source: Radford et al. 2021, arXiv:2103.00020, section 3.1.4: a class weight is the normalised mean of the
normalised text features of its prompts; logits are cosine similarities times the learned scale.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch.nn.functional as functional
from torch import Tensor, nn

from robustbench_eff.core.errors import Missing, MissingExtra, ModelError, did_you_mean, in_one_line
from robustbench_eff.core.outside_files import read_text
from robustbench_eff.core.preprocessing import Geometry, Preprocessing
from robustbench_eff.system import hub_downloads, network
from robustbench_eff.system.hub_downloads import Repository

from ..request import LoadedModule, ModelRequest, source_text
from ..weights import load_weights
from .text_features import class_features

if TYPE_CHECKING:
    from types import ModuleType

HUB = "hf-hub:"
"""Beginning of a target that names a repository of the hub."""
CONFIG = "open_clip_config.json"
_FILES = (CONFIG, "open_clip_model.safetensors", "*token*.json", "vocab.*", "merges.txt", "spiece.model")
_PICKLED = "open_clip_pytorch_model.bin"


class ZeroShot(nn.Module):
    """Normalized image features times a fixed matrix of class features, scaled.

    A bias that all classes share, as in SigLIP, is left out, because it changes neither the class nor a gradient.
    """

    class_features: Tensor

    def __init__(self, clip: nn.Module, class_features: Tensor, scale: float) -> None:
        """Build the classifier.

        Args:
            clip: Network with a method `encode_image`.
            class_features: One unit vector per class, shape (classes, features).
            scale: Factor from cosine similarities to logits.
        """
        super().__init__()
        self.clip = clip
        self.scale = scale
        self.register_buffer("class_features", class_features)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits, shape (batch, classes).

        Args:
            images: Normalized images, shape (batch, 3, size, size).
        """
        features = functional.normalize(self.clip.encode_image(images), dim=-1)  # type: ignore[operator]
        logits: Tensor = self.scale * features @ self.class_features.T
        return logits


@dataclass(frozen=True, slots=True)
class OpenClipModels:
    """Image towers of open_clip with a zero-shot head. See `ModelSource`."""

    def missing(self, target: str, request: ModelRequest) -> list[Missing]:
        """Return the weights if they are neither a file, nor cached, nor available for download. See `ModelSource`.

        Args:
            target: `ARCH/TAG`, as `open_clip.list_pretrained()` has them; or `hf-hub:ORG/NAME[@REVISION]`.
            request: The user's options.
        """
        open_clip = _open_clip()
        if target.startswith(HUB):
            repository = _repository(target)
            how = f"`hf download {repository.id}` where the hub can be reached"
            found = hub_downloads.missing(repository, (CONFIG,), f"files of {request.name}", how, option="")
            return request.missing_weights_file() + found
        architecture, tag = _parts(target, open_clip)
        if request.weights is not None:
            return request.missing_weights_file()
        config = open_clip.get_pretrained_cfg(architecture, tag)
        name = str(config.get("hf_hub", "")).strip("/")
        files, url = (_FILES[1], _PICKLED), config.get("url", "")
        if name and not url:
            return hub_downloads.missing(Repository(name), files, f"weights of {request.name}", "--weights FILE")
        if name and (network.cached_on_hugging_face(name, files) or network.reachable(network.hub_host())):
            return []
        if url and network.reachable(url.split("/")[2]):
            return []
        where = Repository(name).page if name else url
        return [Missing(f"weights of {request.name} (they cannot be downloaded)", where, "--weights FILE")]

    def build(self, target: str, request: ModelRequest) -> LoadedModule:
        """Return the image tower with a zero-shot head, by default for ImageNet with OpenAI's names and 80 templates.

        The model arguments `class_names` and `templates` name text files with one class or template per line; a
        template contains `{}` in place of the class name. Class features are cached by content. See `ModelSource`.

        Args:
            target: `ARCH/TAG`, as `open_clip.list_pretrained()` has them; or `hf-hub:ORG/NAME[@REVISION]`.
            request: The user's options.
        """
        arguments = dict(request.model_args)
        class_names, templates = _lines(arguments.pop("class_names", None)), _lines(arguments.pop("templates", None))
        open_clip = _open_clip()
        architecture, tag = _parts(target, open_clip) if not target.startswith(HUB) else _from_hub(target)
        pretrained = None if request.weights else tag
        try:
            with hub_downloads.download_errors(Repository(target), ModelError):
                model = open_clip.create_model(architecture, pretrained=pretrained, **arguments).eval()
                tokenizer = open_clip.get_tokenizer(architecture)
        except ModelError:
            raise
        except Exception as error:
            raise ModelError(f"open_clip cannot build {target}: {in_one_line(error)}") from error
        notes: tuple[str, ...] = ()
        if request.weights is not None:
            notes = load_weights(model, request.weights, trust=request.trust_checkpoint)
        names = class_names or list(open_clip.IMAGENET_CLASSNAMES)
        prompts = templates or [template("{}") for template in open_clip.OPENAI_IMAGENET_TEMPLATES]
        features = class_features(model, tokenizer, names, prompts)
        zero_shot = ZeroShot(model, features, model.logit_scale.detach().exp().item())
        return LoadedModule(
            module=zero_shot.eval(),
            preprocessing=request.adapt(_preprocessing(open_clip.get_model_preprocess_cfg(model)), 1.0),
            source=source_text("open_clip", _with_commit(target, architecture), request.model_args),
            label_space=self.label_space(target, request),
            notes=(*notes, f"zero-shot head from {len(names)} class names and {len(prompts)} templates"),
            all_loaded=request.weights is not None,
        )

    def label_space(self, target: str, request: ModelRequest) -> str:
        """Return `custom` for class names of the user's, otherwise `imagenet`. See `ModelSource`.

        Args:
            target: `ARCH/TAG`, as `open_clip.list_pretrained()` has them; or `hf-hub:ORG/NAME[@REVISION]`.
            request: The user's options.
        """
        del target
        return "custom" if "class_names" in request.model_args else "imagenet"


OPEN_CLIP = OpenClipModels()


def _repository(target: str) -> Repository:
    return hub_downloads.parse_repository(target.removeprefix(HUB), f"open_clip:{HUB}", ModelError)


def _from_hub(target: str) -> tuple[str, None]:
    """A repository of the hub as open_clip names a folder, and no tag."""
    repository = _repository(target)
    folder = hub_downloads.snapshot(repository, _FILES, ModelError)
    if not (folder / CONFIG).is_file():
        raise ModelError(f"{repository.id} is not a model of open_clip: it has no {CONFIG}.", "Look at its page.")
    if not (folder / _FILES[1]).is_file():
        hub_downloads.snapshot(repository._replace(revision=folder.name), (_PICKLED,), ModelError)
    return f"local-dir:{folder}", None


def _with_commit(target: str, architecture: str) -> str:
    if not target.startswith(HUB):
        return target
    return f"{HUB}{_repository(target).id}@{Path(architecture).name}"


def _preprocessing(config: dict[str, Any]) -> Preprocessing:
    geometry = Geometry(
        size=config["size"],
        mode="squash" if config.get("resize_mode") == "squash" else "crop",
        interpolation=config.get("interpolation", "bicubic"),
    )
    return Preprocessing(geometry=geometry, mean=tuple(config["mean"]), std=tuple(config["std"]))


def _lines(path: Any) -> list[str] | None:
    if path is None:
        return None
    lines = [line.strip() for line in read_text(Path(str(path)), ModelError).splitlines() if line.strip()]
    if not lines:
        raise ModelError(f"{path} has no lines.", "Write one class name or template per line.")
    return lines


def _parts(name: str, open_clip: ModuleType) -> tuple[str, str]:
    """Architecture and pretrained tag; ModelError with the closest names for unknown ones."""
    architecture, slash, tag = name.partition("/")
    known = [f"{pair[0]}/{pair[1]}" for pair in open_clip.list_pretrained()]
    if architecture not in open_clip.list_models():
        raise ModelError(f"open_clip does not have an architecture {architecture!r}.", did_you_mean(name, known))
    if not slash or name not in known:
        tags = [pair.partition("/")[2] for pair in known if pair.startswith(f"{architecture}/")]
        raise ModelError(
            f"open_clip does not have weights {name!r}.",
            f"Write open_clip:{architecture}/TAG with {', '.join(tags)}.",
        )
    trained_with_quick_gelu = bool(open_clip.get_pretrained_cfg(architecture, tag).get("quick_gelu"))
    built_with_quick_gelu = bool((open_clip.get_model_config(architecture) or {}).get("quick_gelu"))
    if trained_with_quick_gelu != built_with_quick_gelu:  # open_clip only warns, and computes other features
        suffix = "-quickgelu"
        right = f"{architecture}{suffix}" if trained_with_quick_gelu else architecture.removesuffix(suffix)
        raise ModelError(
            f"{name} was trained with another GELU than {architecture} has.", f"Use open_clip:{right}/{tag}."
        )
    return architecture, tag


def _open_clip() -> ModuleType:
    try:
        import open_clip
    except ImportError as error:
        raise MissingExtra("open_clip", "clip") from error
    module: ModuleType = open_clip
    return module
