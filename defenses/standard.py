"""Plain training: the baseline every defense is compared with."""

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
    """Cross-entropy on the images as they are; all tricks are in the Schedule.

    Source: He et al. 2019, "Bag of tricks", arXiv:1812.01187. Differs: nothing.
    """

    version: ClassVar[int] = 1

    @property
    def passes(self) -> float:
        return 2

    def losses(self, network: Network, batch: Batch) -> Iterator[Tensor]:
        yield functional.cross_entropy(network(batch.images), batch.targets)
