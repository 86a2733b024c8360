"""Pre-activation ResNets for 32x32 images."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


def conv3x3(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    """Return a 3x3 convolution without bias that keeps the size at stride 1.

    Args:
        inputs: Number of channels of its input.
        outputs: Number of channels of its output.
        stride: Its stride.
    """
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)


def conv1x1(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    """Return a 1x1 convolution without bias.

    Args:
        inputs: Number of channels of its input.
        outputs: Number of channels of its output.
        stride: Its stride.
    """
    return nn.Conv2d(inputs, outputs, 1, stride, bias=False)


def through_layers(network: nn.Module, features: Tensor) -> Tensor:
    """Return what the four stages of a ResNet, `layer1` to `layer4`, make of features.

    Args:
        network: The ResNet.
        features: Features after its stem, shape (batch, channels, height, width).
    """
    for number in range(1, 5):
        features = network.get_submodule(f"layer{number}")(features)
    return features


class PreActBlock(nn.Module):
    """Two convolutions, each after batch norm and activation."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        stride: int,
        activation: nn.Module,
        *,
        early_shortcut: bool = False,
        plain_norms: bool = False,
    ) -> None:
        """Build the block.

        Args:
            inputs: Number of channels of its input.
            outputs: Number of channels of its output.
            stride: Stride of its first convolution.
            activation: Function after both batch norms.
            early_shortcut: Whether a convolved shortcut starts before the first batch norm.
            plain_norms: Whether the batch norms have no weights, a convolved shortcut has one of its own, and every
                shortcut starts after the first activation.
        """
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs, affine=not plain_norms)
        self.conv1 = conv3x3(inputs, outputs, stride)
        self.bn2 = nn.BatchNorm2d(outputs, affine=not plain_norms)
        self.conv2 = conv3x3(outputs, outputs)
        self.activation = activation
        self.early_shortcut = early_shortcut
        self.shortcut: nn.Sequential | None = None
        if stride != 1 or inputs != outputs:
            norms = [nn.BatchNorm2d(outputs, affine=False)] if plain_norms else []
            self.shortcut = nn.Sequential(conv1x1(inputs, outputs, stride), *norms)
        elif plain_norms:
            self.shortcut = nn.Sequential()

    def forward(self, x: Tensor) -> Tensor:
        """Return the features, shape (batch, outputs, height / stride, width / stride)."""
        active = self.activation(self.bn1(x))
        shortcut = x if self.shortcut is None else self.shortcut(x if self.early_shortcut else active)
        features: Tensor = self.conv2(self.activation(self.bn2(self.conv1(active))))
        return shortcut + features


class PreActResNet18(nn.Module):
    """Pre-activation ResNet-18.

    Source: He et al. 2016, arXiv:1603.05027; names of tensors as in kuangliu/pytorch-cifar.
    """

    def __init__(self, num_classes: int = 10, *, early_shortcut: bool = False, last_norm: bool = True) -> None:
        """Build the network.

        Args:
            num_classes: Number of outputs.
            early_shortcut: Whether convolved shortcuts start before the first batch norm of their block.
            last_norm: Whether batch norm and ReLU follow the last block.
        """
        super().__init__()
        self.conv1 = conv3x3(3, 64)
        widths = (64, 64, 128, 256, 512)
        for number in range(1, 5):
            inputs, outputs = widths[number - 1 : number + 1]
            first = PreActBlock(inputs, outputs, 1 if number == 1 else 2, nn.ReLU(), early_shortcut=early_shortcut)
            self.add_module(f"layer{number}", nn.Sequential(first, PreActBlock(outputs, outputs, 1, nn.ReLU())))
        self.bn = nn.BatchNorm2d(512) if last_norm else None
        self.linear = nn.Linear(512, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, shape (batch, num_classes)."""
        features = self.conv1(x)
        features = through_layers(self, features)
        if self.bn is not None:
            features = functional.relu(self.bn(features))
        logits: Tensor = self.linear(features.mean((2, 3)))
        return logits


class WidePreActResNet18(nn.Module):
    """Pre-activation ResNet-18 of three times the width, without weights in its batch norms: a frozen lottery ticket.

    Source: Diffenderfer et al. 2021, arXiv:2106.09129.
    """

    def __init__(self, num_classes: int = 10) -> None:
        """Build the network.

        Args:
            num_classes: Number of outputs.
        """
        super().__init__()
        self.conv1 = conv3x3(3, 64)
        widths = (64, 64, 192, 384, 768)
        for number in range(1, 5):
            inputs, outputs = widths[number - 1 : number + 1]
            first = PreActBlock(inputs, outputs, 1 if number == 1 else 2, nn.ReLU(), plain_norms=True)
            second = PreActBlock(outputs, outputs, 1, nn.ReLU(), plain_norms=True)
            self.add_module(f"layer{number}", nn.Sequential(first, second))
        self.bn1 = nn.BatchNorm2d(768, affine=False)
        self.fc = conv1x1(768, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, shape (batch, num_classes)."""
        features = self.conv1(x)
        features = through_layers(self, features)
        pooled = functional.relu(self.bn1(features)).mean((2, 3), keepdim=True)
        logits: Tensor = self.fc(pooled)
        return logits.flatten(1)
