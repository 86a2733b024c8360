"""Aliases whose weights no library downloads: what stands in the way, and how to use the file once one has it."""

from __future__ import annotations

import json
from importlib.resources import files

from robustbench_eff.core.errors import Missing, ModelError
from robustbench_eff.core.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Geometry, Interpolation, Preprocessing

from ..aliases import Alias
from ..request import LoadedModule, ModelRequest, source_text
from ..weights import counters, load_weights
from . import sat_architectures, timm_models
from .sat_variables import state_of
from .tf_bundle import is_bundle, read_bundle

FILE = "--weights FILE"
REASONS = {
    "sat_tf_ckpt": "published only as TensorFlow checkpoints on Google Drive",
    "debiased_pth": "published only behind SharePoint links that need a browser",
    "easyrobust_pth": "published only on a download host that no model library knows",
    "clovaai_pth": "published only in a Dropbox folder",
    "robustbench": "published only on Google Drive, for the model code of the robustbench package",
}
PAGES = {
    "sat_tf_ckpt": "https://github.com/cihangxie/SmoothAdversarialTraining",
    "debiased_pth": "https://github.com/LiYingwei/ShapeTextureDebiasedTraining",
    "easyrobust_pth": "https://github.com/alibaba/easyrobust",
    "clovaai_pth": "https://github.com/clovaai/CutMix-PyTorch",
    "robustbench": "https://github.com/RobustBench/robustbench",
}
SKELETONS = {
    "ResNet-50": "resnet50",
    "ResNet-101": "resnet101",
    "ResNet-152": "resnet152",
    "res50-shape-biased.pth.tar": "resnet50",
    "res50-texture-biased.pth.tar": "resnet50",
    "advtrain resnet50 (see easyrobust README)": "resnet50",
    "cutmix_resnet50": "resnet50",
    "cutmix_resnet101": "resnet101",
    "mixup_resnet50": "resnet50",
    "cutout_resnet50": "resnet50",
}


def missing(alias: Alias, request: ModelRequest) -> list[Missing]:
    """Why the weights cannot be had by us, where the user gets them, and what to do with them then."""
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


def build(alias: Alias, request: ModelRequest) -> LoadedModule:
    """The published architecture with the user's file; normalisation and BN as the authors' code has them."""
    skeleton = _skeleton(alias)
    if skeleton is None or request.weights is None:
        raise ModelError(f"{alias.name} has no weights that can be loaded.")
    smooth = alias.source == "sat_tf_ckpt"
    if smooth:
        module, size = sat_architectures.build(alias.target, request.model_args)
    else:
        module, size = timm_models.untrained(skeleton, request.model_args), 224
    if smooth and is_bundle(request.weights):
        state, left_out = state_of(read_bundle(request.weights), module, request.weights)
        module.load_state_dict({**counters(module), **state}, strict=True)
        notes = (f"weights from {request.weights.name}, a TensorFlow checkpoint", *left_out)
    else:
        notes = load_weights(
            module,
            request.weights,
            trust=request.trust_checkpoint,
            # The auxiliary batch norms of debiased training are not used at test time.
            drop=".aux_bn." if alias.source == "debiased_pth" else None,
        )
    resize = size + 32
    half = (0.5, 0.5, 0.5)
    interpolation: Interpolation = "bicubic" if alias.source in ("sat_tf_ckpt", "easyrobust_pth") else "bilinear"
    preprocessing = Preprocessing(
        geometry=Geometry(size=size, resize=resize, interpolation=interpolation),
        mean=half if smooth else IMAGENET_MEAN,
        std=half if smooth else IMAGENET_STD,
    )
    return LoadedModule(
        module=module,
        preprocessing=request.adapt(preprocessing, size / resize),
        source=source_text(alias.source, alias.target, request.model_args),
        label_space="imagenet",
        notes=notes,
    )


def _skeleton(alias: Alias) -> str | None:
    """What the checkpoint fits, where we can build it: a timm architecture, or one of SAT's own."""
    if alias.source == "sat_tf_ckpt":
        return alias.target
    return SKELETONS.get(alias.target, alias.skeleton)


def _link(alias: Alias) -> str:
    """The direct link of the checkpoint where the facts know one, else the authors' page."""
    facts = json.loads((files("robustbench_eff") / "facts" / "checkpoints.json").read_text())
    by_name = {
        **facts["debiased"]["links"],
        **{url.rpartition("/")[2]: url for url in facts["easyrobust"]["urls"]},
    }
    return str(by_name.get(alias.target, PAGES[alias.source]))
