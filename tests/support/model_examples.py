"""One small model of every source, with its files in a folder, for tests."""

from __future__ import annotations

from pathlib import Path

import timm
import torch
import torchvision
from torch import nn

from robustbench_eff.models.aliases import checkpoints
from robustbench_eff.models.request import ModelRequest
from robustbench_eff.models.robustbench_table import find_entry
from robustbench_eff.models.source import ModelSource
from robustbench_eff.models.sources.robustbench_models import build_network
from robustbench_eff.registry.model_sources import MODEL_SOURCES, UNPREFIXED_SOURCES
from robustbench_eff.testing import ModelExample
from small_models import USER_MODEL, random_weights, save_small_vit
from small_onnx import small_onnx
from small_tflite import small_tflite

SOURCES = {**MODEL_SOURCES, **UNPREFIXED_SOURCES}


def model_example(name: str, folder: Path) -> ModelExample:
    """Return the example of a source.

    Args:
        name: Name of the source.
        folder: Where its files are written.
    """
    source: ModelSource = SOURCES[name].load()
    target, weights, options = globals()[f"_{name}"](folder)
    prefix = "" if name in UNPREFIXED_SOURCES else f"{name}:"
    return ModelExample(source, target, ModelRequest(name=prefix + target, weights=weights, **options))


class Net(nn.Module):
    """Mean color times a fixed matrix."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.head = nn.Linear(3, classes)
        with torch.no_grad():
            self.head.weight.copy_(torch.arange(3 * classes).reshape(classes, 3) / 10)
            self.head.bias.zero_()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(images.mean((2, 3)))


def _weights(path: Path, module: nn.Module) -> Path:
    return path if path.is_file() else random_weights(path, module)


def _timm(folder: Path) -> tuple[str, Path, dict]:
    return "lcnet_035", _weights(folder / "timm.safetensors", timm.create_model("lcnet_035")), {"input_size": 64}


def _torchvision(folder: Path) -> tuple[str, Path, dict]:
    module = torchvision.models.shufflenet_v2_x0_5()
    return "shufflenet_v2_x0_5", _weights(folder / "torchvision.safetensors", module), {"input_size": 64}


def _open_clip(folder: Path) -> tuple[str, Path, dict]:
    import open_clip

    path = folder / "clip.safetensors"
    if not path.is_file():
        random_weights(path, open_clip.create_model("RN50-quickgelu", pretrained=None))
    (folder / "templates.txt").write_text("a {}\n")
    return "RN50-quickgelu/openai", path, {"model_args": {"templates": str(folder / "templates.txt")}}


def _published(folder: Path) -> tuple[str, Path, dict]:
    module = timm.create_model("tf_efficientnet_b0")
    return "sat_effnet_b0", _weights(folder / "sat.safetensors", module), {"input_size": 64}


def _robustbench(folder: Path) -> tuple[str, Path, dict]:
    target = "cifar10/corruptions/Hendrycks2020AugMix_WRN"
    return target, _weights(folder / "robustbench.safetensors", build_network(find_entry(target))), {}


def _checkpoint(folder: Path) -> tuple[str, Path, dict]:
    module = torchvision.models.shufflenet_v2_x1_0()
    return "salman2020_shufflenet_l2_eps3", _weights(folder / "checkpoint.safetensors", module), {"input_size": 64}


def _ensemble(_: Path) -> tuple[str, None, dict]:
    return "digits_standard+digits_advprop", None, {}


def _hf(folder: Path) -> tuple[str, None, dict]:
    if not (folder / "vit").is_dir():
        save_small_vit(folder / "vit")
    return str(folder / "vit"), None, {}


def _onnx(folder: Path) -> tuple[str, None, dict]:
    (folder / "small.onnx").write_bytes(small_onnx().SerializeToString())
    return str(folder / "small.onnx"), None, {}


def _tflite(folder: Path) -> tuple[str, None, dict]:
    (folder / "small.tflite").write_bytes(small_tflite())
    return str(folder / "small.tflite"), None, {}


def _torchscript(folder: Path) -> tuple[str, None, dict]:
    torch.jit.save(torch.jit.script(Net(3).eval()), folder / "small.pt")
    return str(folder / "small.pt"), None, {"input_size": 8}


def _exported(folder: Path) -> tuple[str, None, dict]:
    shapes = ({0: torch.export.Dim("batch")},)
    torch.export.save(
        torch.export.export(Net(3).eval(), (torch.zeros(2, 3, 8, 8),), dynamic_shapes=shapes), folder / "small.pt2"
    )
    return str(folder / "small.pt2"), None, {}


def _shipped(_: Path) -> tuple[str, None, dict]:
    return "digits_standard", None, {}


def _trained(folder: Path) -> tuple[str, None, dict]:
    training = folder / "mine"
    training.mkdir(exist_ok=True)
    for suffix, name in ((".json", "model.json"), (".safetensors", "model.safetensors")):
        (training / name).write_bytes((checkpoints() / f"digits_standard{suffix}").read_bytes())
    return str(training), None, {}


def _user(folder: Path) -> tuple[str, Path, dict]:
    path = folder / "their_network.py"
    path.write_text(USER_MODEL)
    namespace: dict = {}
    exec(USER_MODEL, namespace)
    return f"{path}:build", _weights(folder / "user.safetensors", namespace["build"]()), {"input_size": 32}
