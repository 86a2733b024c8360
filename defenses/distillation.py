"""Knowledge distillation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as functional
from torch import Tensor

from robustbench_eff.core.errors import SpecError

from .network import Network
from .recipe import Recipe, Requirements
from .training_batch import Batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Distillation(Recipe):
    """Knowledge distillation: the labels, and a teacher's prediction for the same images at a temperature.

    Source: Hinton, Vinyals & Dean 2015, arXiv:1503.02531, section 2: the divergence from the teacher's softened
    prediction, times the temperature squared. Temperature 20 as in He et al. 2019, arXiv:1812.01187, section 5.2.
    Differs: nothing.
    """

    version: ClassVar[int] = 1

    teacher: str = "digits_standard"
    """Name of a model, as in an evaluation."""
    temperature: float = 20.0
    """Divisor of the logits of both networks."""
    weight: float = 0.5
    """Weight of the teacher, from 0 to 1; the labels have the rest."""

    def __post_init__(self) -> None:
        if not (self.temperature > 0 and 0 <= self.weight <= 1):
            raise SpecError(
                f"temperature must be > 0 and weight from 0 to 1, got {self.temperature:g} and {self.weight:g}."
            )

    @property
    def passes(self) -> float:
        """One forward and one backward pass, and one forward pass of the teacher."""
        return 3

    @property
    def requirements(self) -> Requirements:
        """The teacher."""
        return Requirements(teacher=self.teacher)

    def losses(self, network: Network, batch: Batch) -> Iterator[Tensor]:
        """Yield the weighted sum of the cross-entropy and the divergence from the teacher.

        Args:
            network: The network in training, with a teacher.
            batch: Images and targets of the step.
        """
        with torch.no_grad():
            taught = (network.teacher(batch.images) / self.temperature).log_softmax(1)
        logits = network(batch.images)
        softened = (logits / self.temperature).log_softmax(1)
        divergence = functional.kl_div(softened, taught, reduction="batchmean", log_target=True)
        labels = functional.cross_entropy(logits, batch.targets)
        yield (1 - self.weight) * labels + self.weight * self.temperature**2 * divergence
