"""Plain training: the baseline for every defense."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as functional
from torch import Tensor

from .network import Network
from .recipe import Recipe
from .training_batch import Batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Standard(Recipe):
    """Plain training: cross-entropy on the images as they are. The bag of tricks is in the `Schedule`.

    Source: He et al. 2019, "Bag of tricks", arXiv:1812.01187. Differs: nothing.
    """

    version: ClassVar[int] = 1

    @property
    def passes(self) -> float:
        """One forward and one backward pass."""
        return 2

    def losses(self, network: Network, batch: Batch) -> Iterator[Tensor]:
        """Yield the cross-entropy of the images.

        Args:
            network: The network in training.
            batch: Images and targets of the step.
        """
        yield functional.cross_entropy(network(batch.images), batch.targets)
