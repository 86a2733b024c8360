"""What some published networks do before or after their layers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Standardised(nn.Module):
    """A network whose images are shifted and scaled one by one, to mean 0 and standard deviation 1 over all values.

    The standard deviation is at least 1 / sqrt(number of values), as in TensorFlow.

    Source: Ding et al. 2020, arXiv:1812.02637.
    """

    def __init__(self, network: nn.Module) -> None:
        """Wrap a network.

        Args:
            network: Takes the standardised images.
        """
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, shape (batch, classes), of images in [0, 1]."""
        mean = images.mean((1, 2, 3), keepdim=True)
        std = images.std((1, 2, 3), keepdim=True).clamp_min(1 / math.sqrt(images[0].numel()))
        logits: Tensor = self.network((images - mean) / std)
        return logits


class MeanOfProbabilities(nn.Module):
    """Networks whose probabilities are averaged; returns the logarithm of the mean, whose softmax is that mean."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        """Wrap networks.

        Args:
            networks: Networks that return logits of the same classes.
        """
        super().__init__()
        self.models = nn.ModuleList(networks)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits, shape (batch, classes)."""
        logarithms = torch.stack([network(images).log_softmax(1) for network in self.models])
        return logarithms.logsumexp(0) - math.log(len(self.models))
