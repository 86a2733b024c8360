"""PGD adversarial training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch.nn.functional as functional
from torch import Tensor

from robustbench_eff.core.threat import Threat

from . import inner_maximization
from .network import Network
from .recipe import Recipe
from .training_batch import Batch


@dataclass(frozen=True, slots=True, kw_only=True)
class AdversarialTraining(Recipe):
    """The cross-entropy of adversarial images alone.

    Source: Madry et al. 2018, arXiv:1706.06083; step 2.5 eps / steps as in MadryLab/robustness a954124, which attacks
    in eval mode.
    Differs: nothing.
    """

    version: ClassVar[int] = 1
    adversarial: ClassVar[bool] = True

    eps: float = 8 / 255
    """Radius of the ball, in units of [0, 1] pixels."""
    norm: Literal["linf", "l2"] = "linf"
    steps: int = 7
    step_size: float | None = None
    """None means 2.5 eps / steps."""
    random_start: bool = True
    mode: Literal["eval", "train"] = "eval"
    """Of the network while it is attacked: with the statistics that it has, or with those of the batch."""

    def __post_init__(self) -> None:
        inner_maximization.check(self.eps, self.norm, self.steps, self.step_size)

    @property
    def passes(self) -> float:
        return 2 * self.steps + 2

    def losses(self, network: Network, batch: Batch) -> Iterator[Tensor]:
        threat, start = Threat(self.norm, self.eps), batch.images
        if self.random_start:
            start = inner_maximization.in_the_cube(start, batch.uniform("start"), threat)
        attacked = inner_maximization.climb_cross_entropy(
            network,
            batch,
            start,
            threat=threat,
            steps=self.steps,
            step_size=self.step_size or 2.5 * self.eps / self.steps,
            mode=self.mode,
        )
        yield functional.cross_entropy(network(attacked), batch.targets)
