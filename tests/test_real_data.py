"""Real weights on real images: the numbers that are stated for them, exactly. Needs the development data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from robustbench_eff import evaluate, load_classifier
from robustbench_eff.attacks import PGD
from robustbench_eff.models.classifier import Classifier
from running import accuracies

SHAPE, TEXTURE, CONFLICTING = 95, 291, 600
"""Decisions of the MobileNetV2 on the 640 real stimuli, as stated beside them."""
RESNET20 = """
import torch
import torch.nn.functional as functional
from torch import nn


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.stride, self.padding = stride, (outputs - inputs) // 2

    def forward(self, x):
        y = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        short = functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.padding, self.padding))
        return functional.relu(y + short)


class ResNet20(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(Block(16, 16, 1), Block(16, 16, 1), Block(16, 16, 1))
        self.layer2 = nn.Sequential(Block(16, 32, 2), Block(32, 32, 1), Block(32, 32, 1))
        self.layer3 = nn.Sequential(Block(32, 64, 2), Block(64, 64, 1), Block(64, 64, 1))
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        x = functional.relu(self.bn1(self.conv1(x)))
        return self.linear(self.layer3(self.layer2(self.layer1(x))).mean((2, 3)))
"""


def mobilenet(shared: Path, geometry: str) -> Classifier:
    return load_classifier(
        "timm:mobilenetv2_100",
        weights=shared / "mobilenetv2_100.tf2ptq.timm.safetensors",
        model_args={"pad_type": "same"},
        mean=[0.5],
        std=[0.5],
        geometry=geometry,
    )


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.parametrize(("geometry", "right"), [("squash", 333), ("crop", 318)])
def test_mobilenet_is_as_accurate_as_stated(shared: Path, tmp_path: Path, geometry: str, right: int) -> None:
    data = {"imagenet": str(shared / "nips17_dev_400_png.parquet")}
    result = evaluate(mobilenet(shared, geometry), attacks=["none"], data=data, store=tmp_path / "store")
    (score,) = accuracies(result.scores)
    assert (round(score.value * score.n), score.n) == (right, 400)


@pytest.mark.shared
@pytest.mark.slow
def test_pgd_takes_the_first_64_to_zero(shared: Path, tmp_path: Path) -> None:
    data = {"imagenet": str(shared / "nips17_dev_400_png.parquet")}
    attack = "pgd(eps=1/255, steps=10)"
    # Of one sample the random start decides, in every precision: seed 1 leaves it right in float32.
    options = {"data": data, "limit": 64, "precision": "float32", "store": tmp_path / "store"}
    clean, robust, rounded = accuracies(evaluate(mobilenet(shared, "crop"), attacks=[attack], **options).scores)
    assert (round(clean.value * 64), robust.value, rounded.value) == (51, 0.0, 0.0)


@pytest.mark.shared
def test_resnet20_from_a_users_file_is_as_accurate_as_stated(shared: Path, tmp_path: Path) -> None:
    (tmp_path / "theirs.py").write_text(RESNET20)
    classifier = load_classifier(
        f"{tmp_path}/theirs.py:ResNet20",
        weights=shared / "resnet20-12fca82f.th",
        input_size=32,
        mean=[0.485, 0.456, 0.406],
        std=[0.229, 0.224, 0.225],
    )
    data = {"cifar10": str(shared / "cifar10_test_jpeg_first5000.parquet")}
    result = evaluate(classifier, benchmarks=["cifar10"], attacks=["none"], data=data, store=tmp_path / "store")
    assert result.scores[0].n == 5000
    assert round(result.scores[0].value, 3) == 0.813
    clean = {"cifar10": str(shared / "cifar10_train_first4000_lossless.npz")}
    options = {"benchmarks": ["cifar10"], "data": clean, "limit": 128, "store": tmp_path / "store"}
    attacked = evaluate(classifier, attacks=["pgd(eps=8/255, steps=20)"], **options)
    assert [score.value for score in accuracies(attacked.scores)] == [1.0, 0.0, 0.0]


@pytest.mark.slow
@pytest.mark.shared
def test_b7_runs_with_a_weights_file_of_its_shape(shared: Path, tmp_path: Path) -> None:
    """Random weights: the number means nothing, the way from alias to outcome is real."""
    module = timm.create_model("tf_efficientnet_b7")
    save_file({key: value.contiguous() for key, value in module.state_dict().items()}, tmp_path / "b7.safetensors")
    classifier = load_classifier("effnet_b7_advprop", weights=tmp_path / "b7.safetensors")
    assert str(classifier.preprocessing) == "short side 632, centre 600×600, bicubic; mean 0.5 0.5 0.5, std 0.5 0.5 0.5"
    data = {"imagenet": str(shared / "nips17_dev_400_png.parquet")}
    result = evaluate(classifier, attacks=["none"], data=data, limit=1, store=tmp_path / "store")
    assert [score.n for score in accuracies(result.scores)] == [1]
    (manifest,) = (json.loads(path.read_text()) for path in (tmp_path / "store").glob("runs/*.json"))
    assert manifest["models"][0]["source"] == "timm:tf_efficientnet_b7.ap_in1k"


@pytest.mark.shared
def test_pgd_agrees_with_foolbox_on_a_robust_network(shared: Path) -> None:
    """alpha-beta-CROWN's adversarially trained CNN, 200 lossless CIFAR-10 images, epsilon 2/255."""
    foolbox = pytest.importorskip("foolbox")
    import numpy as np

    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 16, 4, 2, 1),
        torch.nn.ReLU(),
        torch.nn.Conv2d(16, 32, 4, 2, 1),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(2048, 100),
        torch.nn.ReLU(),
        torch.nn.Linear(100, 10),
    )
    module.load_state_dict(torch.load(shared / "cifar_cnn_a_mix.pth", weights_only=True, map_location="cpu"))
    classifier = load_classifier(
        module.eval(), input_size=32, mean=[0.4914, 0.4822, 0.4465], std=[0.2471, 0.2435, 0.2616]
    )
    archive = np.load(shared / "cifar10_train_first4000_lossless.npz")
    images = torch.from_numpy(archive["x"][:200]).permute(0, 3, 1, 2).float() / 255
    labels = torch.from_numpy(archive["y"][:200]).long()

    def robust(perturbed: torch.Tensor) -> float:
        with torch.no_grad():
            return (classifier(perturbed).argmax(1) == labels).double().mean().item()

    peer = foolbox.PyTorchModel(classifier, bounds=(0, 1), device="cpu")
    attack = foolbox.attacks.LinfPGD(steps=20, abs_stepsize=0.25 / 255, random_start=False)
    theirs = attack(peer, images, labels, epsilons=2 / 255)[1]
    ours = PGD(eps=2 / 255, steps=20, step_size=0.25 / 255, random_start=False)(classifier, images, labels)
    assert robust(images) > 0.7
    assert 0.4 < robust(theirs) < 0.75
    assert robust(ours) <= robust(theirs)
    assert robust(ours) == pytest.approx(robust(theirs), abs=0.005)


@pytest.mark.slow
def test_real_stimuli_give_the_stated_shape_bias(shared: Path, tmp_path: Path) -> None:
    classifier = mobilenet(shared, "crop")
    data = {"cue-conflict": str(shared / "cue_conflict_640.parquet")}
    result = evaluate(classifier, benchmarks=["cue-conflict"], suite="shifts", data=data, store=tmp_path / "store")
    scores = {score.metric: score for score in result.scores}
    assert scores["shape_bias"].n == SHAPE + TEXTURE
    assert scores["shape_bias"].value == SHAPE / (SHAPE + TEXTURE)
    assert round(100 * scores["shape_bias"].value, 2) == 24.61
    assert scores["shape_decisions"].value == SHAPE / CONFLICTING
    assert scores["texture_decisions"].value == TEXTURE / CONFLICTING
    assert sum(score.n for name, score in scores.items() if name.startswith("shape_bias of")) == SHAPE + TEXTURE
