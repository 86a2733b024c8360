"""Small networks, a user's model file, weights for any module, and who survives an attack, for tests."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from robustbench_eff.rng import Draws

USER_MODEL = """
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
        draws = Draws.of(0, range(classes))
        self.register_buffer("directions", draws.normal((3 * 8 * 8,), stream="directions"))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return (images.flatten(1) - 0.5) @ self.directions.T
