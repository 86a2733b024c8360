"""Real deployed networks have the accuracies that are stated for them, and those of their float twins."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
import torch
from PIL import Image

from resnet20 import ResNet20
from robustbench_eff import evaluate, load_classifier
from robustbench_eff.core.errors import ModelError
from robustbench_eff.models.request import ModelRequest
from running import accuracies

pytestmark = pytest.mark.shared

CIFAR10 = {"mean": (0.4914, 0.4822, 0.4465), "std": (0.2023, 0.1994, 0.2010)}
RESNET20 = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


def clean(shared: Path, folder: Path, name: str, limit: int, **options) -> int:
    """The number of the first JPEG test images of CIFAR-10 that a network classifies correctly."""
    data = {"cifar10": str(shared / "cifar10_test_jpeg_first5000.parquet")}
    request = ModelRequest.from_options(name, options)
    run = {"benchmarks": ["cifar10"], "data": data, "attacks": ["none"], "limit": limit, "device": "cpu"}
    (score,) = accuracies(evaluate(request, store=folder / "store", **run).scores)
    return round(score.value * limit)


@pytest.mark.parametrize(
    ("name", "limit", "right", "options"),
    [
        ("onnx:{}/vit_pgd_2_3_16_cifar10.onnx", 1000, 601, CIFAR10),
        pytest.param("onnx:{}/sri_resnet_a_cifar10.onnx.gz", 1000, 785, CIFAR10, marks=pytest.mark.slow),
        pytest.param(
            *("tflite:{}/mlperf_tiny_resnet8_cifar10_float.tflite", 1000, 775),
            {"mean": (0.0,), "std": (1 / 255,)},
            marks=pytest.mark.slow,
        ),
        ("tflite:{}/mlperf_tiny_resnet8_cifar10_int8.tflite", 1000, 765, {}),
    ],
)
def test_deployed_networks_of_cifar10_are_as_accurate_as_stated(
    shared: Path, tmp_path: Path, name: str, limit: int, right: int, options: dict
) -> None:
    assert clean(shared, tmp_path, name.format(shared), limit, **options) == right


@pytest.mark.slow
def test_int8_mobilenet_is_as_accurate_as_stated_and_is_fooled_through_its_twin(shared: Path, tmp_path: Path) -> None:
    source = (
        "import timm, torch\nfrom safetensors.torch import load_file\nfrom torchvision.transforms import Normalize\n"
        "def build():\n    network = timm.create_model('mobilenetv2_100', pad_type='same')\n"
        f"    network.load_state_dict(load_file('{shared}/mobilenetv2_100.tf2ptq.timm.safetensors'))\n"
        "    return torch.nn.Sequential(Normalize([0.5] * 3, [0.5] * 3), network)\n"
    )
    (tmp_path / "twin.py").write_text(source)
    name = f"tflite:{shared}/tf2_mobilenet_v2_1.0_224_ptq.tflite"
    request = ModelRequest(name=name, num_classes=1000, geometry="squash")
    options = {"benchmarks": ["imagenet"], "data": {"imagenet": str(shared / "nips17_dev_400_png.parquet")}}
    (whole,) = accuracies(evaluate(request, attacks=["none"], store=tmp_path / "clean", device="cpu", **options).scores)
    assert round(whole.value * 400) == 328
    attack = f"pgd(eps=2/255, steps=10) from {tmp_path}/twin.py:build"
    result = evaluate(request, attacks=[attack], limit=32, store=tmp_path / "attacked", device="cpu", **options)
    clean_32, fooled = accuracies(result.scores)[:2]
    assert fooled.value < clean_32.value - 0.2


@pytest.mark.slow
@pytest.mark.parametrize("dynamic", [True, False])
def test_resnet20_exported_to_onnx_predicts_what_resnet20_does(shared: Path, tmp_path: Path, dynamic: bool) -> None:
    network = ResNet20()
    weights = torch.load(shared / "resnet20-12fca82f.th", map_location="cpu", weights_only=True)["state_dict"]
    network.load_state_dict({name.removeprefix("module."): value for name, value in weights.items()})
    network.eval()
    shapes = {"dynamic_shapes": ({0: torch.export.Dim("batch")},)} if dynamic else {}
    torch.onnx.export(network, (torch.zeros(16, 3, 32, 32),), tmp_path / "network.onnx", verbose=False, **shapes)
    exported = load_classifier(f"onnx:{tmp_path}/network.onnx", device="cpu", **RESNET20)
    original = load_classifier(network, input_size=32, device="cpu", **RESNET20)
    images = images_of(shared, 200)
    with torch.no_grad():
        logits, expected = exported(images), original(images)
    top = expected.topk(2).values
    certain = top[:, 0] - top[:, 1] > 1e-4
    assert certain.sum() > 190
    assert torch.equal(logits.argmax(1)[certain], expected.argmax(1)[certain])
    assert (logits - expected).abs().max() < 1e-4


def images_of(shared: Path, count: int) -> torch.Tensor:
    table = pyarrow.parquet.read_table(shared / "cifar10_test_jpeg_first5000.parquet").slice(0, count)
    cells = table["image"].to_pylist()
    contents = [cell["bytes"] if isinstance(cell, dict) else cell for cell in cells]
    arrays = [np.asarray(Image.open(io.BytesIO(content)).convert("RGB")) for content in contents]
    return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).float() / 255


def test_a_gradient_attack_alone_stops_before_any_image_is_read(shared: Path, tmp_path: Path) -> None:
    name = f"tflite:{shared}/mlperf_tiny_resnet8_cifar10_int8.tflite"
    data = {"cifar10": str(shared / "cifar10_test_jpeg_first5000.parquet")}
    options = {"benchmarks": ["cifar10"], "data": data, "limit": 8, "store": tmp_path / "store", "device": "cpu"}
    with pytest.raises(ModelError, match=r"runs in ai-edge-litert, .* square and one_pixel") as refused:
        evaluate(name, attacks=["pgd(eps=8/255)"], **options)
    assert "--attack none" in refused.value.hint
    assert not (tmp_path / "store" / "cells").exists()
    result = evaluate(name, attacks=["pgd(eps=8/255)", "square(eps=8/255, queries=5)"], **options)
    assert [item.cell.perturbation for item in result.failed] == ["pgd(eps=8/255)"]
    square = [score for score in accuracies(result.scores) if "square" in score.perturbation]
    assert square[0].n == 8
