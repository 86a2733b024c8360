"""Softmax gradient tampering."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as functional
from torch import Tensor

from robustbench_eff.core.errors import SpecError

from .network import Network
from .recipe import Recipe
from .training_batch import Batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Tampering(Recipe):
    """Plain training whose gradient at the logits is p^alpha / sum p^alpha - y, with the predicted probabilities p.

    That is the gradient of the cross-entropy of alpha times the logits, over alpha: so that is the loss. Unlike with
    the cross-entropy the weights see smaller gradients where the network is sure, which is no robustness.
    Source: Das et al. 2021, arXiv:2111.12495, of which only the abstract was read; alpha's default is unverified.
    Differs: unknown.
    """

    version: ClassVar[int] = 1

    alpha: float = 0.5
    """Power of the probabilities; 1 is plain training."""

    def __post_init__(self) -> None:
        if not self.alpha > 0:
            raise SpecError(f"alpha must be > 0, got {self.alpha:g}.")

    @property
    def passes(self) -> float:
        return 2

    def losses(self, network: Network, batch: Batch) -> Iterator[Tensor]:
        yield functional.cross_entropy(self.alpha * network(batch.images), batch.targets) / self.alpha
