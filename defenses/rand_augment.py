"""RandAugment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as functional
from torch import Tensor

from robustbench_eff.core.errors import SpecError

from .network import Network
from .policies import augmented, policy
from .recipe import Recipe
from .training_batch import Batch


@dataclass(frozen=True, slots=True, kw_only=True)
class RandAugment(Recipe):
    """RandAugment: several random operations of one magnitude on every image.

    Source: Cubuk et al. 2020, arXiv:1909.13719; the operations of torchvision's v2.RandAugment.
    Differs: torchvision does not have Invert and SolarizeAdd, but has Identity.
    """

    version: ClassVar[int] = 1

    operations: int = 2
    """Number of operations per image."""
    magnitude: int = 9
    """Magnitude of the operations, from 0 to 30."""

    def __post_init__(self) -> None:
        if self.operations < 1 or not 0 <= self.magnitude <= 30:
            raise SpecError(
                f"operations must be >= 1 and magnitude from 0 to 30, got {self.operations} and {self.magnitude}."
            )

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
        change = policy("randaugment", num_ops=self.operations, magnitude=self.magnitude)
        yield functional.cross_entropy(network(augmented(batch, change, "randaugment")), batch.targets)
