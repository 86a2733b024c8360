"""Make robustbench_eff/facts/robustbench.json from RobustBench's own code.

    python scripts/ship_robustbench.py FOLDER

FOLDER is a checkout of RobustBench, whose package can be imported: see `robust-eval doctor`. Its networks are built
without values, except for the constants of their normalisation.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import timm
import torch
import torchvision.models
from torch import nn
from torch.overrides import TorchFunctionMode

from robustbench_eff.leaderboards.published import select
from robustbench_eff.models.robustbench_table import PACKAGE

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "robustbench_eff" / "facts" / "robustbench.json"


CLASSES = {"cifar10": 10, "cifar100": 100, "imagenet": 1000}
DRIVE = "https://drive.google.com/uc?id="
TORCHVISION_FILES = {
    "Standard_R50": "https://download.pytorch.org/models/resnet50-0676ba61.pth",
    "AlexNet": "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
}
GEOMETRY: Mapping[str, dict[str, Any]] = {
    "Res256Crop224": {"size": 224, "resize": 256, "interpolation": "bilinear"},
    "BicubicRes256Crop224": {"size": 224, "resize": 256, "interpolation": "bicubic"},
    "Res224": {"size": 224, "mode": "squash", "interpolation": "bilinear"},
    "Crop288": {"size": 288, "mode": "center"},
}
TIMM = {
    "Liu2023Comprehensive_ConvNeXt-B": "convnext_base",
    "Liu2023Comprehensive_ConvNeXt-L": "convnext_large",
    "Mo2022When_ViT-B": "vit_base_patch16_224",
    "Tian2022Deeper_DeiT-S": "deit_small_patch16_224",
    "Tian2022Deeper_DeiT-B": "deit_base_patch16_224",
}
SHORT_SIZES = {"T": "tiny", "S": "small", "B": "base", "L": "large"}
IGNORED = {"Pang2020Boosting": ["model_preact_hl1."], "Diffenderfer2021Winning": [".scores"]}
PARTS = {
    "Bai2024MixedNUTS": ["std_model.", "rob_model."],
}


class WithoutValues(TorchFunctionMode):
    """Parameters are built on the meta device; constants, which come from torch.tensor, are not."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func is torch.empty:
            kwargs["device"] = "meta"
        return func(*args, **kwargs)


def without_pretrained() -> None:
    """Make timm and torchvision build networks without downloads."""
    create, resnet50 = timm.create_model, torchvision.models.resnet50
    timm.create_model = lambda name, **options: create(name, **{**options, "pretrained": False})
    torchvision.models.resnet50 = lambda **options: resnet50(**{**options, "pretrained": False})


def zoo() -> dict[str, dict[str, Any]]:
    """Return RobustBench's rows by full name."""
    from robustbench.model_zoo import model_dicts

    return {
        f"{dataset.value}/{threat.value}/{name}": row
        for dataset, threats in model_dicts.items()
        for threat, rows in threats.items()
        for name, row in rows.items()
    }


def of_timm(name: str) -> str:
    """Return the name under which RobustBench registers a network in timm, as its loader makes it."""
    dataset, threat, short = name.split("/")
    return f"{short.lower().replace('-', '_')}_{dataset}_{threat.lower()}"


def build(name: str, row: Mapping[str, Any]) -> nn.Module:
    """Return RobustBench's network."""
    if timm.is_model(of_timm(name)):
        registered: nn.Module = timm.create_model(of_timm(name), num_classes=CLASSES[name.split("/")[0]])
        return registered
    network: nn.Module = row["model"]()
    return network


def wide(module: nn.Module, stage: nn.Sequential, stem: int, **options: Any) -> str:
    """Return the text of a wide ResNet from the number of its blocks and channels."""
    depth = 6 * len(stage) + 4
    name = "deepmind_wide_resnet" if hasattr(module, "init_conv") else "wide_resnet"
    return text(name, depth=depth, width=stem // 64, **options)


def text(name: str, **options: Any) -> str:
    """Return the text of a network."""
    given = ", ".join(f"{key}={value!r}" for key, value in options.items() if value not in (None, False))
    return f"{name}({given})" if given else name


def network_text(name: str, module: Any) -> str:
    """Return our text of RobustBench's network, `PACKAGE` if only its package can build it."""
    short = name.split("/")[2]
    kinds = [kind.__name__ for kind in type(module).__mro__]
    inner = getattr(module, "model", module)
    shape = tuple(inner.state_dict())
    if "WideResNet" in kinds or "PAF_WideResNet" in kinds:
        return wide(
            module,
            module.block1.layer,
            module.nChannels,
            unused_block=hasattr(module, "sub_block1"),
            scaled_silu=kinds[0] == "PAF_WideResNet",
            on_sphere=kinds[0] == "BoostingWideResNet",
        )
    if "DMWideResNet" in kinds or "MeanSparse_DMWideResNet" in kinds:
        return wide(module, module.layer[0].block, module.num_channels, mean_sparse=hasattr(module, "meansparse_end"))
    if kinds[0] == "RobustWideResNet":
        return text(
            "staged_wide_resnet", depths=tuple(module.depth_configs), channels=tuple(module.channel_configs[1:])
        )
    if short == "Huang2022Revisiting_WRN-A4":
        channels = tuple(module.channel_configs[1:])
        return text("staged_wide_resnet", depths=tuple(module.depth_configs), channels=channels, silu=True)
    if "DMPreActResNet" in kinds:
        return "deepmind_preact_resnet18"
    if "PreActResNet" in kinds:
        early = type(module.layer1[0]).__name__ == "PreActBlock" and not module.out_shortcut
        return f"preact_resnet18(early_shortcut={early}, last_norm={module.bn_before_fc})"
    if "LRR_ResNet" in kinds:
        return "lottery_resnet18(width=128)"
    if "WidePreActResNet" in kinds:
        return "wide_preact_resnet18"
    if "CifarResNeXt" in kinds:
        return "cifar_resnext29"
    if name.startswith("cifar") and "ResNet" in kinds:
        block = type(module.layer1[0]).__name__
        return {
            "BasicBlock": "cifar_resnet18",
            "Bottleneck": "cifar_resnet50",
            "BottleneckChen2020AdversarialNet": "cifar_preact_resnet50",
        }[block]
    return _imagenet_text(name, short, inner, shape)


def _imagenet_text(name: str, short: str, inner: Any, shape: tuple[str, ...]) -> str:
    if short.startswith("Debenedetti2022Light"):
        patch = None if name.startswith("imagenet") else 4
        heads = {"S": 8, "M": 8, "L": 16}[short.rpartition("-")[2][0]]
        return text("xcit", embed_dim=inner.embed_dim, num_heads=heads, patch_size=patch)
    if "ConvStem" in short:
        family, size = short.split("_")[1].split("-")[:2]
        return text({"ConvNeXt": "convnext_convstem", "ViT": "vit_convstem"}[family], size=SHORT_SIZES[size])
    if short == "Amini2024MeanSparse_ConvNeXt-L":
        return "convnext_mean_sparse"
    if short in TIMM:
        return f"timm:{TIMM[short]}"
    if type(inner).__module__.startswith("timm.models.swin"):
        return f"timm:swin_{SHORT_SIZES[short[-1]]}_patch4_window7_224"
    if short == "Chen2024Data_WRN_50_2":
        return "torchvision:resnet50(width_per_group=128)"
    if type(inner).__name__ == "TimmAlexNet":
        return "torchvision:alexnet"
    if type(inner).__module__ == "torchvision.models.resnet":
        wide_one = inner.layer1[0].conv1.out_channels == 128
        depth = 18 if len(shape) < 200 else 50
        return "torchvision:wide_resnet50_2" if wide_one else f"torchvision:resnet{depth}"
    return PACKAGE


def constants(module: nn.Module) -> dict[str, list[float]]:
    """Return mean and std of the normalisation within a network."""
    buffers = dict(module.named_buffers())
    for mean, std in (("mu", "sigma"), ("mean", "std"), ("normalize.mean", "normalize.std")):
        if mean in buffers:
            pair = {"mean": buffers[mean].flatten(), "std": buffers[std].flatten()}
            return {key: [round(value, 7) for value in values.tolist()] for key, values in pair.items()}
    return {}


def geometry(name: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return how RobustBench's loader resizes images for a network."""
    if not name.startswith("imagenet"):
        return {"size": 32, "mode": "none"}
    if timm.is_model(of_timm(name)):
        module: Any = timm.create_model(of_timm(name))
        config = getattr(module, "model", module).default_cfg
        size = config["input_size"][1]
        resize = math.floor(size / config["crop_pct"])
        return {"size": size, "resize": resize, "interpolation": config["interpolation"]}
    return GEOMETRY[row["preprocessing"]]


def addresses(name: str, row: Mapping[str, Any]) -> list[str]:
    """Return where the files of weights are."""
    dataset, _, short = name.split("/")
    if dataset == "imagenet" and short in TORCHVISION_FILES:
        return [TORCHVISION_FILES[short]]
    if timm.is_model(of_timm(name)):
        module: Any = timm.create_model(of_timm(name))
        return [getattr(module, "model", module).default_cfg["url"]]
    ids = row["gdrive_id"]
    return [f"{DRIVE}{key}" for key in ([ids] if isinstance(ids, str) else ids)]


def quirks(name: str) -> dict[str, Any]:
    """Return what is peculiar to a network or to its file."""
    short = name.split("/")[2]
    found: dict[str, Any] = {}
    if short.startswith("Kireev2021") or short == "Andriushchenko2020Understanding":
        found["entry"] = "last"
    if short == "Ding2020MMA":
        found["standardised"] = True
    if short.startswith("Modas2021"):
        found["constants_in_file"] = True
    if short == "Hendrycks2019Using":
        found["mean"] = found["std"] = [0.5] * 3
    for start, ignored in IGNORED.items():
        if short.startswith(start):
            found["ignored"] = ignored
    for start, parts in PARTS.items():
        if short.startswith(start):
            found["parts"] = parts
    return found


def rows(folder: Path) -> list[dict[str, Any]]:
    """Return the rows of the table, by name."""
    published = zoo()
    return [_row(path, published) for path in sorted(folder.glob("model_info/*/*/*.json"))]


def _row(path: Path, published: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    name = f"{path.parts[-3]}/{path.parts[-2]}/{path.stem}"
    alias = f"rb_{name}".lower().replace("-", "_").replace("/", "_")
    first = select(models=(alias,)).slice(0, 1).to_pylist()[0]
    info = json.loads(path.read_text())
    row = {"name": name, "label": info["architecture"], "family": first["family"], "defense": first["defense"]}
    row |= {"unreliable": True} if info.get("unreliable") else {}
    if name not in published:
        return row
    zoo_row = published[name]
    row |= {"weights": addresses(name, zoo_row), **geometry(name, zoo_row)}
    try:
        with WithoutValues():
            module: Any = build(name, zoo_row)
    except RuntimeError:  # those of Bai et al. 2023 need a GPU, and Kang2021Stable computes with its weights
        return row | ({} if path.stem.startswith("Bai2023") else {"network": PACKAGE})
    row["network"] = network_text(name, next(iter(getattr(module, "models", [module]))))
    row["parameters"] = sum(value.numel() for value in module.parameters())
    return row | ({} if row["network"] == PACKAGE else constants(module)) | quirks(name)


def main() -> None:
    """Write the table."""
    without_pretrained()
    table = rows(Path(sys.argv[1]))
    lines = ",\n".join("  " + json.dumps(row, ensure_ascii=False) for row in table)
    commit = "78fcc9e48a07"
    TABLE.write_text(f'{{\n "source": "RobustBench/robustbench @{commit}",\n "models": [\n{lines}\n ]\n}}\n')
    print(f"{len(table)} names, {sum('network' in row for row in table)} with weights")


if __name__ == "__main__":
    main()
