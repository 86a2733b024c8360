"""ResNet-20 for CIFAR-10 (He et al. 2016, arXiv:1512.03385, section 4.2), with the names of its common weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
"""Normalization of the weights."""


class Block(nn.Module):
    """Two convolutions, and a shortcut that subsamples and pads channels with zeros (option A)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.stride, self.missing = stride, outputs - inputs

    def forward(self, images: Tensor) -> Tensor:
        inner = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(images)))))
        subsampled = images[:, :, :: self.stride, :: self.stride]
        channels = (self.missing // 2, self.missing - self.missing // 2)
        return functional.relu(inner + functional.pad(subsampled, (0, 0, 0, 0, *channels)))


class ResNet20(nn.Module):
    """Three stages of three blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(Block(16, 16, 1), Block(16, 16, 1), Block(16, 16, 1))
        self.layer2 = nn.Sequential(Block(16, 32, 2), Block(32, 32, 1), Block(32, 32, 1))
        self.layer3 = nn.Sequential(Block(32, 64, 2), Block(64, 64, 1), Block(64, 64, 1))
        self.linear = nn.Linear(64, 10)

    def forward(self, images: Tensor) -> Tensor:
        features = self.layer3(self.layer2(self.layer1(functional.relu(self.bn1(self.conv1(images))))))
        return self.linear(features.mean((2, 3)))


def load(weights: object) -> nn.Module:
    """The network in eval mode with the weights of a checkpoint file."""
    state = torch.load(weights, weights_only=True, map_location="cpu")["state_dict"]
    network = ResNet20()
    network.load_state_dict({name.removeprefix("module."): value for name, value in state.items()})
    return network.eval()
