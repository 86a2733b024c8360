"""BN-1 and TENT on ResNet-20 with CIFAR-10-C made here: the predictions of a plain implementation, image by image."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
import pytest
import torch
from PIL import Image
from torch import nn

import resnet20
from adapting_networks import batch_norm_loop, loop, tent_loop
from robustbench_eff import evaluate, load_classifier
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.registry.build_corruption import parse_corruption
from running import outcomes

COUNT, SIZE = 300, 200
NOISE = "gaussian_noise(severity=5, constants='cifar10')"

TEXTS = {
    "bn1": "bn1(batch_size=200, orders=1)",
    "tent": "tent(batch_size=200, order=iid, reset=never, lr=0.001, orders=1)",
    "episodic tent": "tent(batch_size=200, reset=batch, orders=1)",
    "class-sorted tent": "tent(batch_size=200, order=class_sorted, orders=1)",
}


class Normalized(nn.Module):
    """The network with its normalization, as a loop without the package needs it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (resnet20.MEAN, resnet20.STD))
        return self.network((images - mean) / std)


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.parametrize("adapter", ["bn1", "tent", "episodic tent", "class-sorted tent"])
def test_every_prediction_is_that_of_a_plain_implementation(shared: Path, tmp_path: Path, adapter: str) -> None:
    network = resnet20.load(shared / "resnet20-12fca82f.th")
    data = {"cifar10": str(shared / "cifar10_test_jpeg_first5000.parquet")}
    model = load_classifier(network, input_size=32, mean=resnet20.MEAN, std=resnet20.STD)
    options = {"benchmarks": ["cifar10"], "data": data, "limit": COUNT, "store": tmp_path}
    evaluate(model, corruptions=[NOISE], adapt=TEXTS[adapter], **options)
    table = outcomes(tmp_path)[NOISE]
    ids, labels = table["sample_id"].to_pylist(), np.array(table["label"].to_pylist())
    order = drawn(ids, labels, by_class=adapter == "class-sorted tent")
    images, plain = noisy(Path(data["cifar10"]), ids)[torch.from_numpy(order)], Normalized(network)
    if adapter == "bn1":
        expected = batch_norm_loop(plain, images, SIZE)
    else:
        expected = tent_loop(plain, images, SIZE, episodic=adapter == "episodic tent")
    found = np.array(table["prediction"].to_pylist())[order]
    assert found.tolist() == expected
    source = np.array(loop(plain, images, COUNT))
    assert (source == labels[order]).mean() < 0.25
    assert (found == labels[order]).mean() > 0.4


def noisy(path: Path, ids: list[str]) -> torch.Tensor:
    """The first images under noise, as floats, from the file of images and the kernel alone."""
    column = parquet.read_table(path).slice(0, COUNT)["image"].to_pylist()
    decoded = [np.array(Image.open(io.BytesIO(image)).convert("RGB")) for image in column]
    corrupted = parse_corruption(NOISE)(torch.from_numpy(np.stack(decoded)), RandomStreams.of(0, ids))
    return corrupted.permute(0, 3, 1, 2).float() / 255


def drawn(ids: list[str], labels: np.ndarray, *, by_class: bool) -> np.ndarray:
    """The order as documented: by a random number of the class, then of the sample."""
    number = RandomStreams.of(0, ids).words(2, stream="order 0").double() @ torch.tensor([2.0**32, 1.0]).double()
    if not by_class:
        return np.argsort(number.numpy(), kind="stable")
    words = RandomStreams.of(0, range(10)).words(2, stream="class order 0").double()
    of_class = (words @ torch.tensor([2.0**32, 1.0]).double()).numpy()
    return np.array(sorted(range(len(ids)), key=lambda row: (of_class[labels[row]], number[row].item())))
