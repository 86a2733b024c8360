"""Fast adversarial training: a single step from a random start."""

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
class Fast(Recipe):
    """Fast adversarial training: the cross-entropy after one step of 1.25 eps from a random point of the cube.

    Source: Wong, Rice & Kolter 2020, arXiv:2001.03994, algorithm 3; locuslab/fast_adversarial 54f7287 attacks in train
    mode, so that the attack's batches update the running statistics too.
    Differs: nothing.
    """

    version: ClassVar[int] = 1
    has_usual_radius: ClassVar[bool] = True

    eps: float = 8 / 255
    """Radius of the ball in L-infinity, in units of [0, 1] pixels."""
    step_size: float | None = None
    """Length of the step; None means 1.25 eps."""
    mode: Literal["eval", "train"] = "train"
    """Mode of the network during the attack."""

    def __post_init__(self) -> None:
        check_ascent(self.eps, "linf", 1, self.step_size)

    @property
    def passes(self) -> float:
        """One forward and one backward pass for the attack, and one of each for the update."""
        return 4

    @property
    def threat(self) -> Threat:
        """The L-infinity ball of radius `eps`."""
        return Threat("linf", self.eps)

    def losses(self, network: Network, batch: Batch) -> Iterator[Tensor]:
        """Yield the cross-entropy of the adversarial images.

        Args:
            network: The network in training.
            batch: Images and targets of the step.
        """
        start = random_start(batch.images, batch.uniform("start"), self.threat)
        ascent = Ascent(threat=self.threat, steps=1, step_size=self.step_size or 1.25 * self.eps)
        adversarial = maximize_cross_entropy(network, batch, start, ascent, mode=self.mode)
        yield functional.cross_entropy(network(adversarial), batch.targets)
