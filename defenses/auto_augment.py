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
    """A random one of the policies that were learned for CIFAR-10, or above 64 pixels for ImageNet, on every image.

    Source: Cubuk et al. 2019, arXiv:1805.09501; torchvision's v2.AutoAugment. Differs: nothing beyond that.
    """

    version: ClassVar[int] = 1

    @property
    def passes(self) -> float:
        return 2

    def losses(self, network: Network, batch: Batch) -> Iterator[Tensor]:
        changed = augmented(batch, policy("autoaugment"), "autoaugment")
        yield functional.cross_entropy(network(changed), batch.targets)
