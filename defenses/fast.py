"""Fast adversarial training: a single step from a random start."""

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
class Fast(Recipe):
    """One step of 1.25 eps from a uniform point of the cube, then the cross-entropy of what it gave.

    Source: Wong, Rice & Kolter 2020, arXiv:2001.03994, algorithm 3; locuslab/fast_adversarial 54f7287 attacks in train
    mode, so that the attack's batches move the running statistics too.
    Differs: nothing.
    """

    version: ClassVar[int] = 1
    adversarial: ClassVar[bool] = True

    eps: float = 8 / 255
    """Radius of the ball in L-infinity, in units of [0, 1] pixels."""
    step_size: float | None = None
    """None means 1.25 eps."""
    mode: Literal["eval", "train"] = "train"
    """Of the network while it is attacked."""

    def __post_init__(self) -> None:
        inner_maximization.check(self.eps, "linf", 1, self.step_size)

    @property
    def passes(self) -> float:
        return 4

    def losses(self, network: Network, batch: Batch) -> Iterator[Tensor]:
        threat = Threat("linf", self.eps)
        start = inner_maximization.in_the_cube(batch.images, batch.uniform("start"), threat)
        step_size = self.step_size or 1.25 * self.eps
        attacked = inner_maximization.climb_cross_entropy(
            network, batch, start, threat=threat, steps=1, step_size=step_size, mode=self.mode
        )
        yield functional.cross_entropy(network(attacked), batch.targets)
