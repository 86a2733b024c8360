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
    """Gradient tampering: the gradient at the logits is p^alpha / sum p^alpha - y, with predicted probabilities p.

    The loss is the cross-entropy of alpha times the logits, divided by alpha, which has this gradient. Compared with
    plain training, the gradients of the weights are smaller where the network is confident, which is not robustness.

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
        """One forward and one backward pass."""
        return 2

    def losses(self, network: Network, batch: Batch) -> Iterator[Tensor]:
        """Yield the cross-entropy of alpha times the logits, divided by alpha.

        Args:
            network: The network in training.
            batch: Images and targets of the step.
        """
        yield functional.cross_entropy(self.alpha * network(batch.images), batch.targets) / self.alpha
