"""AutoAugment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as functional
from torch import Tensor

from .network import Network
from .policies import augmented, policy
from .recipe import Recipe
from .training_batch import Batch


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoAugment(Recipe):
    """AutoAugment: a random learned policy on every image.

    The policies are those learned for CIFAR-10, and for images above 64 pixels those learned for ImageNet.

    Source: Cubuk et al. 2019, arXiv:1805.09501; torchvision's v2.AutoAugment. Differs: nothing beyond that.
    """

    version: ClassVar[int] = 1

    @property
    def passes(self) -> float:
        """One forward and one backward pass."""
        return 2

    def losses(self, network: Network, batch: Batch) -> Iterator[Tensor]:
        """Yield the cross-entropy of the augmented images.

        Args:
            network: The network in training.
            batch: Images and targets of the step.
        """
        changed = augmented(batch, policy("autoaugment"), "autoaugment")
        yield functional.cross_entropy(network(changed), batch.targets)
