"""Wide ResNets for 32x32 images, in the form whose tensors are named as in the code of TRADES."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from .preact_resnet import PreActBlock, conv1x1, conv3x3


class ScaledSiLU(nn.Module):
    """x (sigmoid(|alpha| x) - |beta|) / (1 - |beta|), with alpha and beta learned.

    Source: Dai et al. 2021, arXiv:2110.05626.
    """

    def __init__(self) -> None:
        """Start near the plain SiLU."""
        super().__init__()
        self.beta = nn.Parameter(torch.tensor([1e-8]))
        self.alpha = nn.Parameter(torch.tensor([1.0]))

    def forward(self, x: Tensor) -> Tensor:
        """Return the activations, of the shape of x."""
        beta = self.beta.abs()
        return x * (torch.sigmoid(self.alpha.abs() * x) - beta) / (1 - beta)


class WideBlock(nn.Module):
    """Two convolutions, each after batch norm and activation; a wider or strided block has a convolved shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int, activation: nn.Module) -> None:
        """Build the block.

        Args:
            inputs: Number of channels of its input.
            outputs: Number of channels of its output.
            stride: Stride of its first convolution.
            activation: Function after both batch norms.
        """
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.activation = activation
        self.conv1 = conv3x3(inputs, outputs, stride)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.conv2 = conv3x3(outputs, outputs)
        self.convShortcut = None if inputs == outputs else conv1x1(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Return the features, shape (batch, outputs, height / stride, width / stride)."""
        active = self.activation(self.bn1(x))
        shortcut = x if self.convShortcut is None else self.convShortcut(active)
        features: Tensor = self.conv2(self.activation(self.bn2(self.conv1(active))))
        return shortcut + features


class _Stage(nn.Module):
    """Blocks of one resolution, under the name `layer`."""

    def __init__(self, blocks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.layer = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.layer(x)
        return features


class WideResNet(nn.Module):
    """Wide ResNet, such as WRN-28-10.

    Source: Zagoruyko & Komodakis 2016, arXiv:1605.07146; names of tensors as in yaodongyu/TRADES.
    """

    def __init__(
        self,
        depth: int,
        width: int,
        num_classes: int = 10,
        *,
        unused_block: bool = False,
        scaled_silu: bool = False,
        on_sphere: bool = False,
    ) -> None:
        """Build the network.

        Args:
            depth: Number of layers, 6 n + 4.
            width: Factor of the numbers of channels.
            num_classes: Number of outputs.
            unused_block: Whether the checkpoint has a copy of the first stage that no forward pass uses.
            scaled_silu: Whether one `ScaledSiLU` takes the place of all ReLUs.
            on_sphere: Whether features and the rows of the last layer are scaled to length 1, as in hypersphere
                embedding (Pang et al. 2020, arXiv:2002.08619); the outputs are cosines, and there is no bias.
        """
        super().__init__()
        channels = (16, 16 * width, 32 * width, 64 * width)
        activation = ScaledSiLU() if scaled_silu else nn.ReLU()
        blocks = (depth - 4) // 6
        stages = [_wide_stage(blocks, channels[i], channels[i + 1], min(i + 1, 2), activation) for i in range(3)]
        self.conv1 = conv3x3(3, channels[0])
        self.block1, self.block2, self.block3 = stages
        if unused_block:
            self.sub_block1 = _wide_stage(blocks, channels[0], channels[1], 1, activation)
        self.bn1 = nn.BatchNorm2d(channels[3])
        self.activation = activation
        self.fc = nn.Linear(channels[3], num_classes, bias=not on_sphere)
        self.on_sphere = on_sphere

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, shape (batch, num_classes)."""
        features = self.block3(self.block2(self.block1(self.conv1(x))))
        features = self.activation(self.bn1(features)).mean((2, 3))
        if self.on_sphere:
            rows = functional.normalize(self.fc.weight)
            return functional.linear(functional.normalize(features), rows)
        logits: Tensor = self.fc(features)
        return logits


class StagedWideResNet(nn.Module):
    """Wide ResNet whose stages have widths and depths of their own.

    Source: Huang et al. 2021, arXiv:2110.03825, and Huang et al. 2022, arXiv:2212.11005, for `silu`.
    """

    def __init__(
        self, depths: Sequence[int], channels: Sequence[int], num_classes: int = 10, *, silu: bool = False
    ) -> None:
        """Build the network.

        Args:
            depths: Number of blocks of every stage; all but the first halve the resolution.
            channels: Number of channels of every stage.
            num_classes: Number of outputs.
            silu: Whether SiLU takes the place of ReLU; the shortcuts and the last batch norm then have other names.
        """
        super().__init__()
        self.stem_conv = conv3x3(3, 16)
        self.blocks = nn.ModuleList()
        inputs, activation = 16, nn.SiLU() if silu else nn.ReLU()
        for number, (depth, outputs) in enumerate(zip(depths, channels, strict=True)):
            block = PreActBlock if silu else WideBlock
            strides = [min(number + 1, 2), *[1] * (depth - 1)]
            widths = [inputs, *[outputs] * (depth - 1)]
            self.blocks.append(
                _Stage(
                    [block(width, outputs, stride, activation) for width, stride in zip(widths, strides, strict=True)]
                )
            )
            inputs = outputs
        self.activation = activation
        self.last_norm = "norm1" if silu else "bn1"
        self.add_module(self.last_norm, nn.BatchNorm2d(inputs))
        self.fc = nn.Linear(inputs, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, shape (batch, num_classes)."""
        features = self.stem_conv(x)
        for stage in self.blocks:
            features = stage(features)
        norm = self.get_submodule(self.last_norm)
        logits: Tensor = self.fc(self.activation(norm(features)).mean((2, 3)))
        return logits


def _wide_stage(depth: int, inputs: int, outputs: int, stride: int, activation: nn.Module) -> _Stage:
    first = WideBlock(inputs, outputs, stride, activation)
    return _Stage([first, *(WideBlock(outputs, outputs, 1, activation) for _ in range(depth - 1))])
