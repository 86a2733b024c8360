"""Published checkpoints that no library downloads, by alias: where a user gets the file, and how to load it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from torch import nn

from robustbench_eff.core.errors import Missing, ModelError, did_you_mean
from robustbench_eff.core.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Geometry, Interpolation, Preprocessing

from ..aliases import Alias, aliases
from ..request import LoadedModule, ModelRequest, source_text
from ..weights import counters, load_weights
from . import sat_architectures, timm_models
from .sat_variables import state_of
from .tf_bundle import is_bundle, read_bundle

FILE = "--weights FILE"
REASONS = {
    "sat_tf_ckpt": "published only as TensorFlow checkpoints on Google Drive",
    "debiased_pth": "published only behind SharePoint links that need a browser",
    "clovaai_pth": "published only in a Dropbox folder",
    "unpublished": "its authors have published no weights",
}
PAGES = {
    "sat_tf_ckpt": "https://github.com/cihangxie/SmoothAdversarialTraining",
    "debiased_pth": "https://github.com/LiYingwei/ShapeTextureDebiasedTraining",
    "clovaai_pth": "https://github.com/clovaai/CutMix-PyTorch",
    "unpublished": "https://arxiv.org/abs/2103.13322",  # DQA: DNN Quantization with Attention (Hacene et al. 2021)
}
SKELETONS = {
    "ResNet-50": "resnet50",
    "ResNet-101": "resnet101",
    "ResNet-152": "resnet152",
    "res50-shape-biased.pth.tar": "resnet50",
    "res50-texture-biased.pth.tar": "resnet50",
    "cutmix_resnet50": "resnet50",
    "cutmix_resnet101": "resnet101",
    "mixup_resnet50": "resnet50",
    "cutout_resnet50": "resnet50",
}


@dataclass(frozen=True, slots=True)
class PublishedCheckpoints:
    """Checkpoints that a user must download by hand. See `ModelSource`."""

    def missing(self, target: str, request: ModelRequest) -> list[Missing]:
        """Return why the weights are not available, where to get them and how to pass the file. See `ModelSource`.

        Args:
            target: Alias of the model.
            request: The user's options.
        """
        alias = _alias(target)
        skeleton = _skeleton(alias)
        if skeleton is not None and request.weights is not None:
            return request.missing_weights_file()
        option = "" if skeleton is None else FILE
        if skeleton is None:
            how = "write its architecture as an nn.Module and use --model path/to/file.py:factory --weights FILE"
        elif alias.source == "sat_tf_ckpt":
            how = "--weights FILE, the NAME.index of the checkpoint with its other two files beside it"
        else:
            how = "--weights FILE"
        return [Missing(f"weights of {alias.name} ({REASONS[alias.source]})", _link(alias), how, option)]

    def build(self, target: str, request: ModelRequest) -> LoadedModule:
        """Return the published architecture with the user's file. See `ModelSource`.

        Normalization and batch norms are those of the authors' code.

        Args:
            target: Alias of the model.
            request: The user's options, which must name a file of weights.
        """
        alias = _alias(target)
        skeleton = _skeleton(alias)
        if skeleton is None or request.weights is None:
            raise ModelError(f"The weights of {alias.name} cannot be loaded.", "Pass the file with --weights FILE.")
        is_sat = alias.source == "sat_tf_ckpt"
        if is_sat:
            module, size = sat_architectures.build(alias.target, request.model_args)
        else:
            module, size = timm_models.untrained(skeleton, request.model_args), 224
        notes = _load(module, alias, request.weights, request.trust_checkpoint)
        resize = size + 32
        half = (0.5, 0.5, 0.5)
        interpolation: Interpolation = "bicubic" if is_sat else "bilinear"
        preprocessing = Preprocessing(
            geometry=Geometry(size=size, resize=resize, interpolation=interpolation),
            mean=half if is_sat else IMAGENET_MEAN,
            std=half if is_sat else IMAGENET_STD,
        )
        return LoadedModule(
            module=module,
            preprocessing=request.adapt(preprocessing, size / resize),
            source=source_text(alias.source, alias.target, request.model_args),
            label_space="imagenet",
            notes=notes,
            all_loaded=True,
        )

    def label_space(self, target: str, request: ModelRequest) -> str:
        """Return what the number of classes suggests, `imagenet` by default. See `ModelSource`.

        Args:
            target: Alias of the model.
            request: The user's options.
        """
        del target
        return request.label_space("imagenet")


PUBLISHED_CHECKPOINTS = PublishedCheckpoints()


def _alias(name: str) -> Alias:
    alias = aliases().get(name)
    if alias is None or alias.source not in REASONS:
        known = [other.name for other in aliases().values() if other.source in REASONS]
        raise ModelError(f"{name!r} is not the alias of a published checkpoint.", did_you_mean(name, known))
    return alias


def _load(module: nn.Module, alias: Alias, weights: Path, trust: bool) -> tuple[str, ...]:
    """Load a published file, or a conversion of it; returns notes on how."""
    if alias.source == "sat_tf_ckpt" and is_bundle(weights):
        state, notes = state_of(read_bundle(weights), module, weights)
        module.load_state_dict({**counters(module), **state}, strict=True)
        return (f"weights from {weights.name}, a TensorFlow checkpoint", *notes)
    if alias.source == "sat_tf_ckpt" and (".data-" in weights.name or weights.suffix == ".meta"):
        raise ModelError(f"{weights} is not the index of the checkpoint.", "Give NAME.index, in the same folder.")
    # Evaluation does not use the auxiliary batch norms of debiased training.
    return load_weights(module, weights, trust=trust, drop=".aux_bn." if alias.source == "debiased_pth" else None)


def _skeleton(alias: Alias) -> str | None:
    """The architecture that the checkpoint fits, if we can build it: one of timm, or one of SAT's own."""
    if alias.source == "sat_tf_ckpt":
        return alias.target
    return SKELETONS.get(alias.target, alias.skeleton)


def _link(alias: Alias) -> str:
    """The direct link of the checkpoint if the facts contain one, else the authors' page."""
    facts = json.loads((files("robustbench_eff") / "facts" / "checkpoints.json").read_text())
    return str(facts["debiased"]["links"].get(alias.target, PAGES[alias.source]))
