"""AugMix with its consistency loss."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as functional
from torch import Tensor

from robustbench_eff.core.errors import SpecError
from robustbench_eff.core.types import Logits

from .network import Network
from .policies import augmented, policy
from .recipe import Recipe
from .training_batch import Batch

FLOOR = 1e-7
"""Smallest value of the mean prediction, so that its logarithm is finite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AugMix(Recipe):
    """AugMix: cross-entropy on the clean image plus a consistency loss over two augmented views of it.

    The consistency loss is 12 times the Jensen-Shannon divergence between the predictions for the image and for two
    mixtures of chains of operations.

    Source: Hendrycks et al. 2020, arXiv:1912.02781, section 3; google-research/augmix 9b9824c: width 3, depth 1 to 3,
    severity 3 on CIFAR, mixed by Dirichlet(1) and Beta(1, 1).
    Differs: torchvision's v2.AugMix makes the mixtures, with the paper's 9 operations, none of which ImageNet-C has; it
    draws among `severity` equally spaced strengths from zero on, where the authors draw from 0.1 to `severity`. With
    severity 1 nothing changes.
    """

    version: ClassVar[int] = 1

    severity: int = 3
    """Number of strengths to draw from, 1 to 10."""
    width: int = 3
    """Number of chains in a mixture."""
    weight: float = 12.0
    """Weight of the divergence."""

    def __post_init__(self) -> None:
        if not 1 <= self.severity <= 10 or self.width < 1 or not self.weight >= 0:
            raise SpecError(
                "severity must be from 1 to 10, width >= 1 and weight >= 0, got "
                f"{self.severity}, {self.width} and {self.weight:g}."
            )

    @property
    def passes(self) -> float:
        """Two passes for each of three views."""
        return 6

    def losses(self, network: Network, batch: Batch) -> Iterator[Tensor]:
        """Yield the cross-entropy of clean images plus the weighted divergence.

        Args:
            network: The network in training.
            batch: Images and targets of the step.
        """
        change = policy("augmix", severity=self.severity, mixture_width=self.width)
        views = [augmented(batch, change, f"augmix {number}") for number in (1, 2)]
        clean, first, second = network(torch.cat((batch.images, *views))).chunk(3)
        divergence = jensen_shannon(clean, first, second)
        yield functional.cross_entropy(clean, batch.targets) + self.weight * divergence


def jensen_shannon(*predictions: Logits) -> Tensor:
    """Return the Jensen-Shannon divergence: the mean divergence of each prediction from their mean, over all samples.

    Args:
        predictions: Logits for several views of the same samples.
    """
    probabilities = [logits.softmax(1) for logits in predictions]
    mean = torch.stack(probabilities).mean(0).clamp(FLOOR, 1).log()
    divergences = [functional.kl_div(mean, prediction, reduction="batchmean") for prediction in probabilities]
    return torch.stack(divergences).mean()
