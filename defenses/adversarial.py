"""PGD adversarial training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch.nn.functional as functional
from torch import Tensor

from robustbench_eff.core.threat import Threat

from .inner_maximization import Ascent, check_ascent, maximize_cross_entropy, random_start
from .network import Network
from .recipe import Recipe
from .training_batch import Batch


@dataclass(frozen=True, slots=True, kw_only=True)
class AdversarialTraining(Recipe):
    """Adversarial training: the cross-entropy of adversarial images alone.

    Source: Madry et al. 2018, arXiv:1706.06083; step 2.5 eps / steps as in MadryLab/robustness a954124, which attacks
    in eval mode.
    Differs: nothing.
    """

    version: ClassVar[int] = 1
    has_usual_radius: ClassVar[bool] = True

    eps: float = 8 / 255
    """Radius of the ball, in units of [0, 1] pixels."""
    norm: Literal["linf", "l2"] = "linf"
    """Norm of the ball."""
    steps: int = 7
    """Number of gradient steps of the attack."""
    step_size: float | None = None
    """Length of a step; None means 2.5 eps / steps."""
    random_start: bool = True
    """Start at a random point around the image; otherwise at the image itself."""
    mode: Literal["eval", "train"] = "eval"
    """Mode of the network during the attack: batch norms use their running statistics, or those of the batch."""

    def __post_init__(self) -> None:
        check_ascent(self.eps, self.norm, self.steps, self.step_size)

    @property
    def passes(self) -> float:
        """The attack takes `steps` forward and backward passes, the update one of each."""
        return 2 * self.steps + 2

    @property
    def threat(self) -> Threat:
        """The ball of radius `eps`."""
        return Threat(self.norm, self.eps)

    def losses(self, network: Network, batch: Batch) -> Iterator[Tensor]:
        """Yield the cross-entropy of the adversarial images.

        Args:
            network: The network in training.
            batch: Images and targets of the step.
        """
        start = batch.images
        if self.random_start:
            start = random_start(start, batch.uniform("start"), self.threat)
        step_size = self.step_size or 2.5 * self.eps / self.steps
        ascent = Ascent(threat=self.threat, steps=self.steps, step_size=step_size)
        adversarial = maximize_cross_entropy(network, batch, start, ascent, mode=self.mode)
        yield functional.cross_entropy(network(adversarial), batch.targets)
