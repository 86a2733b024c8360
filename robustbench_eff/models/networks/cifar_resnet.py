"""ResNets and ResNeXts for 32x32 images, with a stem of a single 3x3 convolution."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from .preact_resnet import conv1x1, conv3x3, through_layers


class BasicBlock(nn.Module):
    """Two 3x3 convolutions."""

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        """Build the block.

        Args:
            inputs: Number of channels of its input.
            width: Number of channels of its output.
            stride: Stride of its first convolution.
        """
        super().__init__()
        self.conv1 = conv3x3(inputs, width, stride)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = conv3x3(width, width)
        self.bn2 = nn.BatchNorm2d(width)
        self.shortcut = _shortcut(inputs, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Return the features, shape (batch, width, height / stride, width / stride)."""
        features = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(features)) + self.shortcut(x))


class Bottleneck(nn.Module):
    """A 3x3 convolution between two 1x1 convolutions."""

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        """Build the block.

        Args:
            inputs: Number of channels of its input.
            width: Number of channels within it, a quarter of those of its output.
            stride: Stride of its 3x3 convolution.
        """
        super().__init__()
        self.conv1 = conv1x1(inputs, width)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = conv3x3(width, width, stride)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = conv1x1(width, 4 * width)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.shortcut = _shortcut(inputs, 4 * width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Return the features, shape (batch, 4 * width, height / stride, width / stride)."""
        features = functional.relu(self.bn1(self.conv1(x)))
        features = functional.relu(self.bn2(self.conv2(features)))
        return functional.relu(self.bn3(self.conv3(features)) + self.shortcut(x))


class PreActBottleneck(nn.Module):
    """A bottleneck with a batch norm before it and none after it; a convolved shortcut starts after the first.

    Source: Chen et al. 2020, arXiv:2003.12862.
    """

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        """Build the block.

        Args:
            inputs: Number of channels of its input.
            width: Number of channels within it, a quarter of those of its output.
            stride: Stride of its 3x3 convolution.
        """
        super().__init__()
        self.bn0 = nn.BatchNorm2d(inputs)
        self.conv1 = conv1x1(inputs, width)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = conv3x3(width, width, stride)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = conv1x1(width, 4 * width)
        self.shortcut = _shortcut(inputs, 4 * width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Return the features, shape (batch, 4 * width, height / stride, width / stride)."""
        active = functional.relu(self.bn0(x))
        features = functional.relu(self.bn1(self.conv1(active)))
        features = self.conv3(functional.relu(self.bn2(self.conv2(features))))
        shortcut = self.shortcut(active) if len(self.shortcut) else x
        merged: Tensor = shortcut + features
        return merged


class CifarResNet(nn.Module):
    """ResNet for 32x32 images.

    Source: He et al. 2015, arXiv:1512.03385; names of tensors as in kuangliu/pytorch-cifar.
    """

    def __init__(
        self, block: type[BasicBlock | Bottleneck | PreActBottleneck], depths: Sequence[int], num_classes: int = 10
    ) -> None:
        """Build the network.

        Args:
            block: Class of its blocks.
            depths: Number of blocks of each of the four stages.
            num_classes: Number of outputs.
        """
        super().__init__()
        self.conv1 = conv3x3(3, 64)
        self.bn1 = nn.BatchNorm2d(64)
        inputs = 64
        for number, depth in enumerate(depths, start=1):
            width = 32 << number
            stage = nn.Sequential()
            for stride in (min(number, 2), *[1] * (depth - 1)):
                stage.append(block(inputs, width, stride))
                inputs = width * block.expansion
            self.add_module(f"layer{number}", stage)
        self.linear = nn.Linear(inputs, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, shape (batch, num_classes)."""
        features = functional.relu(self.bn1(self.conv1(x)))
        features = through_layers(self, features)
        logits: Tensor = self.linear(features.mean((2, 3)))
        return logits


class LotteryResNet18(nn.Module):
    """ResNet-18 of any width with a small stem; names of tensors as in torchvision.

    Source: Diffenderfer et al. 2021, arXiv:2106.09129.
    """

    def __init__(self, width: int, num_classes: int = 10) -> None:
        """Build the network.

        Args:
            width: Number of channels of the first stage.
            num_classes: Number of outputs.
        """
        super().__init__()
        from torchvision.models import resnet

        self.conv1 = conv3x3(3, width)
        self.bn1 = nn.BatchNorm2d(width)
        inputs = width
        for number in range(1, 5):
            outputs = width << (number - 1)
            shortcut = _shortcut(inputs, outputs, min(number, 2))
            first = resnet.BasicBlock(inputs, outputs, min(number, 2), shortcut if len(shortcut) else None)
            self.add_module(f"layer{number}", nn.Sequential(first, resnet.BasicBlock(outputs, outputs)))
            inputs = outputs
        self.fc = nn.Linear(inputs, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, shape (batch, num_classes)."""
        features = functional.relu(self.bn1(self.conv1(x)))
        features = through_layers(self, features)
        logits: Tensor = self.fc(features.mean((2, 3)))
        return logits


class _ResNeXtBlock(nn.Module):
    def __init__(self, inputs: int, width: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv_reduce = conv1x1(inputs, width)
        self.bn_reduce = nn.BatchNorm2d(width)
        self.conv_conv = nn.Conv2d(width, width, 3, stride, padding=1, groups=4, bias=False)
        self.bn = nn.BatchNorm2d(width)
        self.conv_expand = conv1x1(width, outputs)
        self.bn_expand = nn.BatchNorm2d(outputs)
        self.downsample = _shortcut(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        features = functional.relu(self.bn_reduce(self.conv_reduce(x)))
        features = functional.relu(self.bn(self.conv_conv(features)))
        return functional.relu(self.bn_expand(self.conv_expand(features)) + self.downsample(x))


class CifarResNeXt29(nn.Module):
    """ResNeXt-29 with 4 groups of 32 channels.

    Source: Xie et al. 2016, arXiv:1611.05431; names of tensors as in google-research/augmix.
    """

    def __init__(self, num_classes: int = 10) -> None:
        """Build the network.

        Args:
            num_classes: Number of outputs.
        """
        super().__init__()
        self.conv_1_3x3 = conv3x3(3, 64)
        self.bn_1 = nn.BatchNorm2d(64)
        inputs = 64
        for number in range(1, 4):
            width, outputs = 64 << number, 128 << number
            blocks = [_ResNeXtBlock(inputs, width, outputs, min(number, 2))]
            blocks += [_ResNeXtBlock(outputs, width, outputs, 1) for _ in range(2)]
            self.add_module(f"stage_{number}", nn.Sequential(*blocks))
            inputs = outputs
        self.classifier = nn.Linear(inputs, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, shape (batch, num_classes)."""
        features = functional.relu(self.bn_1(self.conv_1_3x3(x)))
        for number in range(1, 4):
            features = self.get_submodule(f"stage_{number}")(features)
        logits: Tensor = self.classifier(features.mean((2, 3)))
        return logits


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    """A 1x1 convolution with batch norm, or nothing where the shape does not change."""
    if stride == 1 and inputs == outputs:
        return nn.Sequential()
    return nn.Sequential(conv1x1(inputs, outputs, stride), nn.BatchNorm2d(outputs))
