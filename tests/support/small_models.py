"""Small networks, a user's model file, weights for any module, and who survives an attack, for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from robustbench_eff.benchmarks.definitions.digits import open_digits
from robustbench_eff.core.rng import RandomStreams

UNTRAINED_MODEL = """
import torch
class Net(torch.nn.Module):
    def __init__(self, width=4, classes=10):
        super().__init__()
        self.body = torch.nn.Sequential(torch.nn.Conv2d(3, width, 3), torch.nn.BatchNorm2d(width))
        self.head = torch.nn.Linear(width, classes)
    def forward(self, images):
        return self.head(self.body(images).mean((2, 3)))
def build(width=4, classes=10):
    return Net(width, classes)
def nothing():
    return 7
def raises():
    return {}["lost"]
class Two(torch.nn.Module):
    def forward(self, images, mask):
        return images
def two_inputs():
    return Two()
"""


USER_MODEL = UNTRAINED_MODEL.replace(
    "torch.nn.Linear(width, classes)\n",
    """torch.nn.Linear(width, classes)
        with torch.no_grad():
            for number, values in enumerate(self.parameters(), 7):
                values.copy_(torch.linspace(-1, 1, values.numel()).mul(number).sin().view(values.shape))
""",
)
"""The same network with fixed weights in the place of a file."""


def random_weights(path: Path, module: nn.Module) -> Path:
    save_file({key: value.contiguous() for key, value in module.state_dict().items()}, path)
    return path


def survivors(classifier: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return classifier(images).argmax(1) == labels


class Linear(nn.Module):
    """`classes` fixed random directions."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        draws = RandomStreams.of(0, range(classes))
        self.register_buffer("directions", draws.normal((3 * 8 * 8,), stream="directions"))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return (images.flatten(1) - 0.5) @ self.directions.T


class Centroids(nn.Module):
    """Nearest mean of the training digits: another classifier of digits than the shipped one."""

    def __init__(self) -> None:
        super().__init__()
        opened = open_digits("train")
        pixels = np.stack([opened.read(row) for row in range(len(opened))]).transpose(0, 3, 1, 2)
        labels = np.array(opened.labels)
        means = [pixels[labels == digit].reshape(-1, 3072).mean(0) / 255 for digit in range(10)]
        self.register_buffer("means", torch.tensor(np.stack(means), dtype=torch.float32))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return (2 * images.flatten(1) @ self.means.T - self.means.square().sum(1)) / 20


def save_small_vit(folder: Path) -> None:
    """Write a folder of save_pretrained: a vision transformer of five named classes, at 32 pixels."""
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    names = ["ant", "bee", "cat", "dog", "eel"]
    config = ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=32,
        patch_size=8,
        id2label=dict(enumerate(names)),
        label2id={name: index for index, name in enumerate(names)},
    )
    torch.manual_seed(0)
    ViTForImageClassification(config).save_pretrained(folder)
    ViTImageProcessor(size={"height": 32, "width": 32}, image_mean=[0.4, 0.5, 0.6]).save_pretrained(folder)
