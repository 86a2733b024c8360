"""Mixup."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as functional
from torch import Tensor

from robustbench_eff.core import rng
from robustbench_eff.core.errors import SpecError

from .network import Network
from .recipe import Recipe
from .training_batch import Batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixup(Recipe):
    """Mixup: convex combinations of neighbors in the shuffled batch, of both images and labels.

    The proportion is drawn from Beta(alpha, alpha), once per batch.

    Source: Zhang et al. 2018, arXiv:1710.09412; torchvision's v2.MixUp. Differs: nothing.
    """

    version: ClassVar[int] = 1

    alpha: float = 0.2
    """Parameter of the Beta distribution; the paper uses 0.2 for ImageNet and 1 for CIFAR."""

    def __post_init__(self) -> None:
        if not self.alpha > 0:
            raise SpecError(f"alpha must be > 0, got {self.alpha:g}.")

    @property
    def passes(self) -> float:
        """One forward and one backward pass."""
        return 2

    def losses(self, network: Network, batch: Batch) -> Iterator[Tensor]:
        """Yield the cross-entropy of the mixed images with the mixed labels.

        Args:
            network: The network in training.
            batch: Images and targets of the step.
        """
        from torchvision.transforms import v2

        with rng.global_generators(batch.seed, f"mixup/{batch.step}"):
            images, targets = v2.MixUp(alpha=float(self.alpha))(batch.images, batch.targets)
        yield functional.cross_entropy(network(images), targets)
