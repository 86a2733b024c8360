"""Wide and pre-activation ResNets with SiLU for 32x32 images, as DeepMind published them.

Source: Gowal et al. 2020, arXiv:2010.03593; names of tensors as in deepmind/deepmind-research. A convolution of stride
2 pads at the right and the bottom alone, as TensorFlow's `SAME` does.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class MeanSparse(nn.Module):
    """Sets every value that is near the mean of its channel to that mean.

    Source: Amini et al. 2024, arXiv:2406.05927.
    """

    running_mean: Tensor
    running_var: Tensor
    threshold: Tensor

    def __init__(self, channels: int, *, channels_last: bool = False) -> None:
        """Build the layer; the threshold of 0 changes nothing.

        Args:
            channels: Number of channels.
            channels_last: Whether the channels are the last axis, and not the second.
        """
        super().__init__()
        self.shape = (channels,) if channels_last else (channels, 1, 1)
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.zeros(channels))
        self.register_buffer("threshold", torch.tensor(0.0))
        # What follows served to estimate the statistics, and stands in every checkpoint.
        self.register_buffer("flag_update_statistics", torch.tensor(0))
        self.register_buffer("batch_num", torch.tensor(0.0))

    def forward(self, x: Tensor) -> Tensor:
        """Return values of the shape of x."""
        mean = self.running_mean.view(self.shape)
        near = (x - mean).abs() < self.threshold * self.running_var.sqrt().view(self.shape)
        return torch.where(near, mean, x)


class _Conv3x3(nn.Conv2d):
    """A 3x3 convolution that pads as TensorFlow does."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__(inputs, outputs, 3, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the features, shape (batch, outputs, height / stride, width / stride)."""
        before = 1 if self.stride == (1, 1) else 0
        return super().forward(functional.pad(x, (before, 1, before, 1)))


class _WideBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int, *, mean_sparse: bool) -> None:
        super().__init__()
        self.batchnorm_0 = nn.BatchNorm2d(inputs)
        self.conv_0 = _Conv3x3(inputs, outputs, stride)
        self.batchnorm_1 = nn.BatchNorm2d(outputs)
        self.conv_1 = _Conv3x3(outputs, outputs, 1)
        self.shortcut = None if inputs == outputs else nn.Conv2d(inputs, outputs, 1, stride, bias=False)
        self.meansparse_0 = MeanSparse(inputs) if mean_sparse else nn.Identity()
        self.meansparse_1 = MeanSparse(outputs) if mean_sparse else nn.Identity()
        self.meansparse_2 = MeanSparse(outputs) if mean_sparse else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        active = functional.silu(self.meansparse_0(self.batchnorm_0(x)))
        shortcut = x if self.shortcut is None else self.shortcut(active)
        features = functional.silu(self.meansparse_1(self.batchnorm_1(self.conv_0(active))))
        merged: Tensor = self.meansparse_2(shortcut + self.conv_1(features))
        return merged


class _Stage(nn.Module):
    """Blocks of one resolution, under the name `block`."""

    def __init__(self, depth: int, inputs: int, outputs: int, stride: int, *, mean_sparse: bool) -> None:
        super().__init__()
        first = _WideBlock(inputs, outputs, stride, mean_sparse=mean_sparse)
        others = [_WideBlock(outputs, outputs, 1, mean_sparse=mean_sparse) for _ in range(depth - 1)]
        self.block = nn.Sequential(first, *others)

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.block(x)
        return features


class DeepMindWideResNet(nn.Module):
    """Wide ResNet with SiLU, such as WRN-70-16."""

    def __init__(self, depth: int, width: int, num_classes: int = 10, *, mean_sparse: bool = False) -> None:
        """Build the network.

        Args:
            depth: Number of layers, 6 n + 4.
            width: Factor of the numbers of channels.
            num_classes: Number of outputs.
            mean_sparse: Whether a `MeanSparse` follows every batch norm and every block.
        """
        super().__init__()
        channels = (16, 16 * width, 32 * width, 64 * width)
        self.init_conv = nn.Conv2d(3, channels[0], 3, padding=1, bias=False)
        self.layer = nn.Sequential(
            *(
                _Stage((depth - 4) // 6, channels[i], channels[i + 1], min(i + 1, 2), mean_sparse=mean_sparse)
                for i in range(3)
            )
        )
        self.batchnorm = nn.BatchNorm2d(channels[3])
        self.meansparse_end = MeanSparse(channels[3]) if mean_sparse else nn.Identity()
        self.logits = nn.Linear(channels[3], num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, shape (batch, num_classes)."""
        features = self.meansparse_end(self.batchnorm(self.layer(self.init_conv(x))))
        logits: Tensor = self.logits(functional.silu(features).mean((2, 3)))
        return logits


class _PreActBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.batchnorm_0 = nn.BatchNorm2d(inputs)
        self.conv_2d_1 = _Conv3x3(inputs, outputs, stride)
        self.batchnorm_1 = nn.BatchNorm2d(outputs)
        self.conv_2d_2 = _Conv3x3(outputs, outputs, 1)
        self.shortcut = None if inputs == outputs else _Conv3x3(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        active = functional.silu(self.batchnorm_0(x))
        shortcut = x if self.shortcut is None else self.shortcut(x)
        features: Tensor = self.conv_2d_2(functional.silu(self.batchnorm_1(self.conv_2d_1(active))))
        return features + shortcut


class DeepMindPreActResNet18(nn.Module):
    """Pre-activation ResNet-18 with SiLU, whose shortcuts are 3x3 convolutions."""

    def __init__(self, num_classes: int = 10) -> None:
        """Build the network.

        Args:
            num_classes: Number of outputs.
        """
        super().__init__()
        self.conv_2d = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        widths = (64, 64, 128, 256, 512)
        for number in range(4):
            inputs, outputs = widths[number : number + 2]
            blocks = _PreActBlock(inputs, outputs, min(number + 1, 2)), _PreActBlock(outputs, outputs, 1)
            self.add_module(f"layer_{number}", nn.Sequential(*blocks))
        self.batchnorm = nn.BatchNorm2d(512)
        self.logits = nn.Linear(512, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, shape (batch, num_classes)."""
        features = self.conv_2d(x)
        for number in range(4):
            features = self.get_submodule(f"layer_{number}")(features)
        logits: Tensor = self.logits(functional.silu(self.batchnorm(features)).mean((2, 3)))
        return logits
