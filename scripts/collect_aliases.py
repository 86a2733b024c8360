"""Add aliases to robustbench_eff/facts/aliases.json, and fill in parameters and published accuracies.

Names, input sizes and parameters come from the installed timm, torchvision and open_clip; the addresses of published
checkpoints from files of the authors' repositories, which are named in each row. To repeat:

    git clone https://github.com/microsoft/robust-models-transfer
    .venv/bin/python scripts/collect_aliases.py robust-models-transfer/README.md
"""

from __future__ import annotations

import json
import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import open_clip
import timm
import torch
import torchvision.models
from timm.models import get_pretrained_cfg

from robustbench_eff.core.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from robustbench_eff.leaderboards.published import published
from robustbench_eff.models import architectures

FACTS = Path(__file__).parents[1] / "robustbench_eff" / "facts" / "aliases.json"
CHECKPOINTS = FACTS.with_name("checkpoints.json")
Row = dict[str, Any]

TIMM = {
    "convnextv2_*": ("convnextv2", "masked_autoencoder_pretraining"),
    "deit3_*": ("deit", "standard"),
    "eva02_*": ("eva02", "masked_image_modeling"),
    "mobilenetv4_*": ("mobilenetv4", "standard"),
    "test_*": ("smoke_test", "standard"),
}
"""Globs of timm's names, family and training."""
OPEN_CLIP = ("SigLIP2", "MobileCLIP")
"""Parts of the names of open_clip's architectures."""
HUB = "https://huggingface.co/madrylab/robust-imagenet-models/resolve/main"
"""Where madrylab/robust-imagenet-models' README (3f04ac9) has the files of the README of robust-models-transfer."""
HASHES = {"resnet50_linf_eps4.0": "9e62216975c111b8081481533b6142dec34be69abe5d90b54d7f860015c263db"}
"""Hashes that a public source states, by the name of the file."""
ROBUST = {
    "resnet18": "torchvision:resnet18",
    "resnet50": "torchvision:resnet50",
    "wide_resnet50_2": "torchvision:wide_resnet50_2",
    "wide_resnet50_4": "torchvision:resnet50(width_per_group=256)",
    "densenet": "torchvision:densenet161",
    "mnasnet": "torchvision:mnasnet1_0",
    "mobilenet": "torchvision:mobilenet_v2",
    "resnext50_32x4d": "torchvision:resnext50_32x4d",
    "shufflenet": "torchvision:shufflenet_v2_x1_0",
    "vgg16_bn": "torchvision:vgg16_bn",
}
"""Architectures of robust-models-transfer, src/main.py and the `robustness` package, by the names of the files."""
GEIRHOS = "https://bitbucket.org/robert_geirhos/texture-vs-shape-pretrained-models/raw"
RELEASES = "https://github.com/RobustBench/robustbench/releases/download"
MAE = "https://dl.fbaipublicfiles.com/mae/finetune"
EASYROBUST = "alibaba/easyrobust @c8b6c08 README.md and benchmarks/*.sh"
MMPRETRAIN = "open-mmlab/mmpretrain configs/*/metafile.yml and configs/_base_/datasets/imagenet_bs32_pil_resize.py"
OPENMMLAB = "https://download.openmmlab.com/mmselfsup/1.x"
SELF_SUPERVISED = (  # method, epochs of pretraining, its folder, its linear classifier, accuracy
    ("barlowtwins", 300, "8xb256-coslr-300e_in1k", "8xb32-coslr-100e_in1k_20220825-52fde35f", 0.718),
    ("byol", 200, "16xb256-coslr-200e_in1k", "8xb512-coslr-90e_in1k_20220825-7596c6f5", 0.718),
    ("densecl", 200, "8xb32-coslr-200e_in1k", "8xb32-steplr-100e_in1k_20220825-f0f0a579", 0.635),
    ("mocov2", 200, "8xb32-coslr-200e_in1k", "8xb32-steplr-100e_in1k_20220825-994c4128", 0.675),
    ("mocov3", 100, "8xb512-amp-coslr-100e_in1k", "8xb128-coslr-90e_in1k_20220927-8f7d937e", 0.696),
    ("mocov3", 300, "8xb512-amp-coslr-300e_in1k", "8xb128-coslr-90e_in1k_20220927-d21ddac2", 0.728),
    ("mocov3", 800, "8xb512-amp-coslr-800e_in1k", "8xb128-coslr-90e_in1k_20220927-0e97a483", 0.744),
    ("simclr", 200, "16xb256-coslr-200e_in1k", "8xb512-coslr-90e_in1k_20220825-f12c0457", 0.669),
    ("simclr", 800, "16xb256-coslr-800e_in1k", "8xb512-coslr-90e_in1k_20220825-b80ae1e5", 0.692),
    ("simsiam", 100, "8xb32-coslr-100e_in1k", "8xb512-coslr-90e_in1k_20220825-f53ba400", 0.683),
    ("simsiam", 200, "8xb32-coslr-200e_in1k", "8xb512-coslr-90e_in1k_20220825-519b5135", 0.698),
    ("swav", 200, "8xb32-mcrop-2-6-coslr-200e_in1k-224-96", "8xb32-coslr-100e_in1k_20220825-80341e08", 0.705),
)
"""ResNet-50 pretrained without labels, with a linear classifier."""
ADVTRAIN = {  # alias, architecture of timm, accuracy
    "effnet_b0": ("efficientnet_b0", 0.6183),
    "effnet_b1": ("efficientnet_b1", 0.6399),
    "effnet_b2": ("efficientnet_b2", 0.6475),
    "effnet_b3": ("efficientnet_b3", 0.6765),
    "densenet121": ("densenet121", 0.609),
    "resnest50d": ("resnest50d", 0.7003),
    "resnet101": ("resnet101", 0.6951),
    "resnext50_32x4d": ("resnext50_32x4d", 0.6739),
    "seresnet50": ("seresnet50", 0.6668),
    "seresnet101": ("seresnet101", 0.7111),
    "swin_b": ("swin_base_patch4_window7_224", 0.7505),
    "swin_s": ("swin_small_patch4_window7_224", 0.7341),
    "vgg16": ("vgg16", 0.5996),
    "vit_b16": ("vit_base_patch16_224", 0.7064),
    "vit_b32": ("vit_base_patch32_224", 0.6558),
    "vit_s16": ("vit_small_patch16_224", 0.6643),
}
"""Adversarially trained networks of EasyRobust."""
SIN = "rgeirhos/texture-vs-shape models/load_pretrained_models.py"
ROBUSTBENCH = "RobustBench/robustbench @78fcc9e robustbench/model_zoo/architectures"
ZERO, ONE = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)


def checkpoint(alias: str, url: str, defense: str, family: str, architecture: str, origin: str, **facts: Any) -> Row:
    """One row of a file at an address; sizes and normalization are ImageNet's where `facts` says nothing else."""
    accuracy = facts.pop("accuracy", None)
    row: Row = {"alias": alias, "source": "checkpoint", "name": alias, "family": family, "defense": defense, "url": url}
    usual: Row = {"layout": "", "input_size": 224, "resize": 256, "interpolation": "bilinear"}
    usual |= {"mean": IMAGENET_MEAN, "std": IMAGENET_STD}
    row["checkpoint"] = {"architecture": architecture, **usual, **facts, "origin": origin}
    row["input_size"] = row["checkpoint"]["input_size"]
    return row if accuracy is None else row | {"accuracy": accuracy}


def robust_models(readme: str) -> Iterator[Row]:
    """The rows of the tables of robust-models-transfer."""
    for shown, name, stem, norm, eps in re.findall(
        r"\[([\d.]+)\]\(https://\S+?/robust_imagenet/((\w+)_(l2|linf)_eps([\d.]+))\.ckpt", readme
    ):
        sha256 = f"#sha256={HASHES[name]}" if name in HASHES else ""
        yield checkpoint(
            f"salman2020_{name}",
            f"{HUB}/{name}.ckpt{sha256}",
            "standard" if float(eps) == 0 else f"adversarial_training_{norm}",
            re.sub(r"_.*|\d+$", "", stem) if stem != "vgg16_bn" else "vgg",
            ROBUST[stem],
            "microsoft/robust-models-transfer @cea2c37 README.md and src/main.py",
            layout="robustness",
            accuracy=round(float(shown) / 100, 6),
        )


def others() -> Iterator[Row]:
    """Published files of other authors."""
    sin = {
        "sin": "6f41d2e86fc60566f78de64ecff35cc61eb6436f/resnet50_train_60_epochs-c8e5653e.pth.tar",
        "sin_and_in": "60b770e128fffcbd8562a3ab3546c1a735432d03/"
        "resnet50_train_45_epochs_combined_IN_SF-2a0d100e.pth.tar",
        "sin_and_in_then_in": "60b770e128fffcbd8562a3ab3546c1a735432d03/resnet50_finetune_60_epochs_lr_decay_after_30_"
        "start_resnet50_train_45_epochs_combined_IN_SF-ca06340c.pth.tar",
    }
    for name, place in sin.items():  # the eight digits in the names of the files begin their hashes
        digits = place.removesuffix(".pth.tar").rpartition("-")[2]
        url = f"{GEIRHOS}/{place}#sha256={digits}"
        yield checkpoint(f"resnet50_{name}", url, "stylized_imagenet", "resnet", "torchvision:resnet50", SIN)
    for size in "sb":
        url = f"{RELEASES}/v1.1.1-test/tian2022deeper-deit-{size}.pth"
        long = {"s": "small", "b": "base"}[size]
        facts = {"resize": 248, "interpolation": "bicubic"}
        architecture = f"timm:deit_{long}_patch16_224"
        defense, origin = "corruption_robust_training", f"{ROBUSTBENCH}/deit.py"
        yield checkpoint(f"tian2022_deit_{size}", url, defense, "deit", architecture, origin, **facts)
    xcit = {
        "s": "timm:xcit_small_12_p16_224",
        "m": "timm:xcit_medium_24_p16_224(depth=12, eta=1.0)",
        "l": "timm:xcit_large_24_p16_224(depth=12, eta=1.0)",
    }
    for size, architecture in xcit.items():  # RobustBench gives the ImageNet networks pixels as they are
        url = f"{RELEASES}/v1.1/debenedetti2022light-xcit-{size}-imagenet-linf.pth.tar"
        facts = {"resize": 224, "interpolation": "bicubic", "mean": ZERO, "std": ONE, "layout": "xcit"}
        defense, origin = "adversarial_training_linf", f"{ROBUSTBENCH}/xcit.py"
        yield checkpoint(f"debenedetti2022_xcit_{size}12", url, defense, "xcit", architecture, origin, **facts)
    mae = {"base": ("base_patch16", 0.83664), "large": ("large_patch16", 0.85952), "huge": ("huge_patch14", 0.86928)}
    for size, (architecture, accuracy) in mae.items():
        yield checkpoint(
            f"mae_vit_{size[0]}",
            f"{MAE}/mae_finetuned_vit_{size}.pth",
            "masked_autoencoder_pretraining",
            "vit",
            f"timm:vit_{architecture}_224(global_pool='avg')",
            "facebookresearch/mae FINETUNE.md and models_vit.py",
            interpolation="bicubic",
            accuracy=accuracy,
        )
    clips = {"fare2": "ViT-L/14", "fare4": "ViT-L/14", "tecoa2": "ViT-L/14", "tecoa4": "ViT-L/14"}
    hub = {f"{name}_clip_vit_l14": f"chs20/{name}-clip" for name in clips}
    for kind in ("FARE4", "TeCoA4"):
        for short, end in {
            "vit_b32": "ViT-B-32-laion2B-s34B-b79K",
            "vit_b16": "ViT-B-16-laion2B-s34B-b88K",
            "convnext_b_w": "convnext_base_w-laion2B-s13B-b82K-augreg",
        }.items():
            hub[f"{kind.lower()}_clip_{short}"] = f"chs20/{kind}-{end}"
    for alias, repository in hub.items():
        yield {
            "alias": alias,
            "source": "open_clip",
            "name": f"hf-hub:{repository}",
            "family": "clip_zeroshot",
            "defense": "adversarial_training_linf",
            "note": "from chs20/RobustVLM README.md",
        }


def easyrobust() -> Iterator[Row]:
    """Networks of EasyRobust, whose host sends files unencrypted, so that users download them by hand."""
    urls = json.loads(CHECKPOINTS.read_text())["easyrobust"]["urls"]

    def row(alias: str, end: str, defense: str, family: str, architecture: str, **facts: Any) -> Row:
        (url,) = (url for url in urls if url.endswith(end))
        made = checkpoint(alias, "", defense, family, architecture, EASYROBUST, layout="normalized", **facts)
        made["checkpoint"]["by_hand"] = url
        return {key: value for key, value in made.items() if key != "url"}

    for short, (name, accuracy) in ADVTRAIN.items():
        family = {"effnet": "efficientnet"}.get(part := re.split(r"_|\d", short)[0], part)
        facts: Row = {"interpolation": "bicubic", "accuracy": accuracy}
        file = f"/advtrain_{name}_ep4.pth"
        yield row(f"advtrain_{short}", file, "adversarial_training_linf", family, f"timm:{name}", **facts)
    ours = {  # folder: alias, training, accuracy, interpolation
        "adversarial_training": ("advtrain_resnet50_easyrobust", "adversarial_training_linf", 0.651, "bicubic"),
        "advprop": ("easyrobust_resnet50_advprop", "advprop", 0.7664, "bilinear"),
        "augmix": ("easyrobust_resnet50_augmix", "augmix", 0.7781, "bilinear"),
        "deepaugment": ("easyrobust_resnet50_deepaugment", "deepaugment", 0.7658, "bilinear"),
        "sin": ("easyrobust_resnet50_sin", "stylized_imagenet", 0.7546, "bilinear"),
    }
    for folder, (alias, defense, accuracy, interpolation) in ours.items():
        facts = {"interpolation": interpolation, "accuracy": accuracy}
        yield row(alias, f"examples/{folder}/model_best.pth.tar", defense, "resnet", "timm:resnet50", **facts)


def self_supervised() -> Iterator[Row]:
    """Networks that are pretrained without labels, and have a classifier."""
    for method, epochs, folder, file, accuracy in SELF_SUPERVISED:
        linear = f"resnet50_linear-{file.partition('_in1k')[0]}_in1k"
        place = f"{OPENMMLAB}/{method}/{method}_resnet50_{folder}/{linear}/resnet50_linear-{file}.pth"
        yield checkpoint(
            f"{method}_resnet50_{epochs}e",
            f"{place}#sha256={file.rpartition('-')[2]}",  # the digits in the name begin the hash
            f"{method}_pretraining",
            "resnet",
            "torchvision:resnet50",
            MMPRETRAIN,
            layout="mmpretrain",
            accuracy=accuracy,
        )
    for size in ("small", "base", "large", "giant"):
        yield {
            "alias": f"dinov2_vit_{size[0]}14",
            "source": "hf",
            "name": f"facebook/dinov2-{size}-imagenet1k-1-layer",
            "family": "vit",
            "defense": "dinov2_pretraining",
            "input_size": 224,
        }


def of_libraries() -> Iterator[Row]:
    """Models of timm, torchvision and open_clip that have a classifier or a text tower."""
    for glob, (family, defense) in TIMM.items():
        for name in timm.list_pretrained(glob):
            config = get_pretrained_cfg(name)
            if config.num_classes != 1000 or not config.hf_hub_id:
                continue
            sizes = {"input_size": config.input_size[1]}
            if config.test_input_size:
                sizes["test_input_size"] = config.test_input_size[1]
            facts = {"source": "timm", "name": name, "family": family, "defense": defense}
            yield {"alias": name.replace(".", "_"), **facts, **sizes, "hf_hub_id": f"{config.hf_hub_id}"}
    for name in torchvision.models.list_models(module=torchvision.models, include="efficientnet_*"):
        for weights in torchvision.models.get_model_weights(name):
            facts = {"source": "torchvision", "name": str(weights), "family": name.split("_b")[0].split("_s")[0]}
            version = weights.name.removeprefix("IMAGENET1K_").lower()
            alias = f"tv_{name}" if version == "v1" else f"tv_{name}_{version}"
            size = weights.transforms().crop_size[0]
            accuracy = weights.meta["_metrics"]["ImageNet-1K"]["acc@1"] / 100
            yield {"alias": alias, **facts, "defense": "standard", "input_size": size, "accuracy": round(accuracy, 6)}
    for architecture, tag in open_clip.list_pretrained():
        if any(part in architecture for part in OPEN_CLIP):
            alias = re.sub(r"\W+", "_", f"{architecture}_{tag}").lower()
            facts = {"source": "open_clip", "name": f"{architecture}/{tag}", "family": "clip_zeroshot"}
            yield {"alias": alias, **facts, "defense": "contrastive_pretraining"}


def parameters(row: Row) -> int | None:
    """Number of parameters of a model, which is built without memory; None where it cannot be."""
    with warnings.catch_warnings(), torch.device("meta"):
        warnings.simplefilter("ignore")
        try:
            if row["source"] == "timm":
                network = timm.create_model(row["name"])
            elif row["source"] == "torchvision":
                weights = torchvision.models.get_weight(row["name"])
                kind = type(weights).__name__.removesuffix("_Weights").lower()
                network = torchvision.models.get_model(kind, weights=None)
            elif row["source"] == "checkpoint":
                network = architectures.build(row["checkpoint"]["architecture"], 1000)
            elif row["source"] == "open_clip" and "hf-hub:" not in row["name"]:
                network = open_clip.create_model(row["name"].split("/")[0], pretrained=None).visual
            elif row.get("timm_skeleton"):
                network = timm.create_model(row["timm_skeleton"])
            else:
                return None
        except (NotImplementedError, RuntimeError, TypeError, ValueError) as error:  # some need values to be built
            print(f"no parameters of {row['alias']}: {error}", file=sys.stderr)
            return None
    return sum(int(parameter.numel()) for parameter in network.parameters())


def accuracies() -> dict[str, float]:
    """Published accuracy on ImageNet by the name that the source uses; timm's own results count first."""
    found: dict[str, float] = {}
    for row in published().to_pylist():
        if (row["benchmark"], row["perturbation"], row["metric"]) != ("imagenet", "none", "accuracy"):
            continue
        for name in filter(None, (row["alias"], row["model"])):
            if row["source"].startswith("timm results") or name not in found:
                found[name] = round(row["value"], 6)
    return found


def main(readme: Path) -> None:
    """Rewrite the table."""
    table = json.loads(FACTS.read_text())
    rows = {row["alias"]: row for row in table["aliases"]}
    known = {(row["source"], row["name"]) for row in table["aliases"]}
    for row in [*of_libraries(), *robust_models(readme.read_text()), *others(), *easyrobust(), *self_supervised()]:
        is_ours = row["alias"] in rows and rows[row["alias"]]["name"] == row["name"]
        if is_ours or (row["source"], row["name"]) not in known:
            assert row["alias"] not in rows or is_ours, row["alias"]
            rows[row["alias"]] = row
    accuracy = accuracies()
    for row in rows.values():
        if (count := parameters(row)) is not None:
            row["parameters"] = count
        name = f"open_clip/{row['name']}" if row["source"] == "open_clip" else row["name"]
        if (value := accuracy.get(row["alias"], accuracy.get(name))) is not None and "accuracy" not in row:
            row["accuracy"] = value
    table |= {"n": len(rows), "timm": timm.__version__, "aliases": list(rows.values())}
    lines = ",\n".join(json.dumps(row) for row in table["aliases"])
    head = json.dumps({"n": table["n"], "timm": table["timm"]})[:-1]
    FACTS.write_text(f'{head}, "aliases": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main(Path(sys.argv[1]))
