"""Architectures of published CIFAR-10 weights, for speed and parity runs: `--model speed/networks.py:NAME`."""

from __future__ import annotations

import torch.nn.functional as functional
from torch import Tensor, nn


class _Block(nn.Module):
    """Two 3x3 convolutions with batch norm and a shortcut: a projection, or (option A) a zero-padded slice."""

    def __init__(self, inputs: int, outputs: int, stride: int, *, option_a: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.stride, self.padding = stride, (outputs - inputs) // 2
        projected = not option_a and (stride != 1 or inputs != outputs)
        layers = (nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)) if projected else ()
        self.shortcut = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        if len(self.shortcut) or not self.padding:
            return functional.relu(y + self.shortcut(x))
        sliced = functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.padding, self.padding))
        return functional.relu(y + sliced)


class _ResNet(nn.Module):
    """A CIFAR ResNet of basic blocks; `widths` holds the channels of each stage."""

    def __init__(self, widths: tuple[int, ...], blocks: int, *, option_a: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, widths[0], 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.stages: list[str] = []
        inputs = widths[0]
        for number, outputs in enumerate(widths, 1):
            strides = [1 if number == 1 else 2] + [1] * (blocks - 1)
            layers = []
            for stride in strides:
                layers.append(_Block(inputs, outputs, stride, option_a=option_a))
                inputs = outputs
            setattr(self, f"layer{number}", nn.Sequential(*layers))
            self.stages.append(f"layer{number}")
        self.linear = nn.Linear(inputs, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.bn1(self.conv1(x)))
        for stage in self.stages:
            x = getattr(self, stage)(x)
        logits: Tensor = self.linear(x.mean((2, 3)))
        return logits


def resnet18(width: int = 64) -> nn.Module:
    """Return He et al. 2016 for CIFAR, as in kuangliu/pytorch-cifar; for pyautoattack's `examples/model_test.pt`."""
    return _ResNet((width, 2 * width, 4 * width, 8 * width), 2, option_a=False)


def resnet20() -> nn.Module:
    """Return He et al. 2016, option A; for akamaster/pytorch_resnet_cifar10's weights."""
    return _ResNet((16, 32, 64), 3, option_a=True)


def cnn() -> nn.Module:
    """Return the small network of alpha-beta-CROWN's `cifar_cnn_a_mix.pth`, adversarially trained at 2/255."""
    return nn.Sequential(
        nn.Conv2d(3, 16, 4, 2, 1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 4, 2, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(2048, 100),
        nn.ReLU(),
        nn.Linear(100, 10),
    )
