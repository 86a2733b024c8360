"""Training with a penalty on low confidence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as functional
from torch import Tensor

from robustbench_eff.defenses.network import Network
from robustbench_eff.defenses.recipe import Recipe
from robustbench_eff.defenses.training_batch import Batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Confident(Recipe):
    """Cross-entropy plus the entropy of the prediction.

    Source: Grandvalet & Bengio 2004, "Semi-supervised learning by entropy minimization", NeurIPS 17.
    Differs: the entropy is that of the labelled images.
    """

    weight: float = 0.1
    """Weight of the entropy, at least 0."""
    version: ClassVar[int] = 1

    @property
    def passes(self) -> float:
        """One forward and one backward pass."""
        return 2

    def losses(self, network: Network, batch: Batch) -> Iterator[Tensor]:
        """Yield the loss of a batch.

        Args:
            network: The network in training.
            batch: Images and targets of the step.
        """
        logits = network(batch.images)
        log_probabilities = logits.log_softmax(1)
        entropy = -(log_probabilities.exp() * log_probabilities).sum(1).mean()
        yield functional.cross_entropy(logits, batch.targets) + self.weight * entropy
