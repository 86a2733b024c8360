"""TRADES: accuracy on clean images, and predictions that stay the same around them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as functional
from torch import Tensor

from robustbench_eff.core.errors import SpecError
from robustbench_eff.core.threat import Threat
from robustbench_eff.core.types import Images, Logits

from .inner_maximization import Ascent, ascend, check_ascent
from .network import Network
from .recipe import Recipe
from .training_batch import Batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Trades(Recipe):
    """TRADES: cross-entropy on clean images plus beta times the divergence of adversarial from clean predictions.

    The attack maximizes the same divergence, in eval mode, from normal noise of standard deviation 0.001.

    Source: Zhang et al. 2019, arXiv:1901.08573, equation 5; yaodongyu/TRADES 6e8e11b, where both predictions get
    gradients, eps is 0.031 and a step 0.007.
    Differs: nothing.
    """

    version: ClassVar[int] = 1
    has_usual_radius: ClassVar[bool] = True

    eps: float = 0.031
    """Radius of the ball in L-infinity, in units of [0, 1] pixels."""
    steps: int = 10
    """Number of gradient steps of the attack."""
    step_size: float | None = None
    """Length of a step; None means 0.007 / 0.031 of eps."""
    beta: float = 6.0
    """Weight of the divergence."""

    def __post_init__(self) -> None:
        check_ascent(self.eps, "linf", self.steps, self.step_size)
        if not self.beta >= 0:
            raise SpecError(f"beta must be >= 0, got {self.beta:g}.")

    @property
    def passes(self) -> float:
        """One forward pass and `steps` of both kinds for the attack, and two of each for the update."""
        return 2 * self.steps + 1 + 4

    @property
    def threat(self) -> Threat:
        """The L-infinity ball of radius `eps`."""
        return Threat("linf", self.eps)

    def losses(self, network: Network, batch: Batch) -> Iterator[Tensor]:
        """Yield the cross-entropy of clean images plus the weighted divergence.

        Args:
            network: The network in training.
            batch: Images and targets of the step.
        """
        adversarial = self._adversarial(network, batch)
        clean = network(batch.images)
        loss = functional.cross_entropy(clean, batch.targets)
        yield loss + self.beta * _divergence(clean, network(adversarial)) / len(clean)

    def _adversarial(self, network: Network, batch: Batch) -> Images:
        step_size = self.step_size or 0.007 / 0.031 * self.eps
        ascent = Ascent(threat=self.threat, steps=self.steps, step_size=step_size)
        start = batch.images + 0.001 * batch.normal("start")
        with network.attacked():
            with torch.no_grad():
                clean = network(batch.images)
            return ascend(lambda images: _divergence(clean, network(images)), batch.images, start, ascent)


def _divergence(clean: Logits, attacked: Logits) -> Tensor:
    """KL(clean || attacked), the sum over samples."""
    return functional.kl_div(attacked.log_softmax(1), clean.log_softmax(1), reduction="sum", log_target=True)
