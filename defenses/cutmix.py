"""CutMix."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as functional
from torch import Tensor

from robustbench_eff.core import rng
from robustbench_eff.core.errors import SpecError

from .network import Network
from .recipe import Recipe
from .training_batch import Batch


@dataclass(frozen=True, slots=True, kw_only=True)
class CutMix(Recipe):
    """CutMix: a rectangle of each image is replaced by that of its neighbor in the shuffled batch.

    Labels are mixed in proportion to the area.

    Source: Yun et al. 2019, arXiv:1905.04899, algorithm 1; torchvision's v2.CutMix. Differs: nothing.
    """

    version: ClassVar[int] = 1

    alpha: float = 1.0
    """Parameter of the Beta(alpha, alpha) distribution of the area."""
    probability: float = 1.0
    """Share of batches to mix; the paper uses 1 for ImageNet and 0.5 for CIFAR."""

    def __post_init__(self) -> None:
        if not (self.alpha > 0 and 0 <= self.probability <= 1):
            raise SpecError(
                f"alpha must be > 0 and probability from 0 to 1, got {self.alpha:g} and {self.probability:g}."
            )

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

        images, targets = batch.images, batch.targets
        if float(torch.rand((), generator=batch.generator("cutmix or not"))) < self.probability:
            with rng.global_generators(batch.seed, f"cutmix/{batch.step}"):
                images, targets = v2.CutMix(alpha=float(self.alpha))(images, targets)
        yield functional.cross_entropy(network(images), targets)
