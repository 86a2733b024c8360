"""AdvProp: adversarial images as further training images, with batch norms of their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from robustbench_eff.core.threat import Threat
from robustbench_eff.core.types import Images

from . import inner_maximization
from .auxiliary_batch_norm import WithAuxiliary, main_of
from .network import Network
from .policies import augmented, policy
from .recipe import Recipe
from .training_batch import Batch

ADVERSARIAL = 1
"""The branch of these; that of augmented images is the next, that of clean ones the main one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvProp(Recipe):
    """The sum of the cross-entropies of clean images through the main batch norms and of adversarial ones, attacked and
    classified through auxiliary ones, which are dropped at the end.

    Source: Xie et al. 2020, arXiv:1911.09665, algorithm 1 and section 5.1: PGD with a random start, eps + 1 steps of
    1/255 (one for eps = 1/255), which is unverified; with `augmentation` fine-grained AdvProp (section 4.3).
    Differs: the attack is in eval mode, with the auxiliary running statistics, as tingxueronghua's reproduction d0f6b04
    meant it.
    """

    version: ClassVar[int] = 1

    eps: float = 4 / 255
    """Radius of the ball in L-infinity, in units of [0, 1] pixels."""
    steps: int = 5
    step_size: float = 1 / 255
    auxiliary: bool = True
    """False: all images are one batch, with the same batch norms."""
    images: Literal["adversarial", "noise", "copy"] = "adversarial"
    """What is added to the clean images. Controls: uniform noise of radius eps, and the images once more."""
    augmentation: str | None = None
    """`autoaugment` or `randaugment`: such images are added too, with a third set of batch norms."""

    def __post_init__(self) -> None:
        inner_maximization.check(self.eps, "linf", self.steps, self.step_size)
        if self.augmentation is not None:
            policy(self.augmentation)

    @property
    def passes(self) -> float:
        attack = 2 * self.steps if self.images == "adversarial" else 0
        return attack + 4 + (2 if self.augmentation else 0)

    def prepare(self, module: nn.Module) -> nn.Module:
        return WithAuxiliary(module, 2 if self.augmentation else 1) if self.auxiliary else module

    def export(self, trained: nn.Module) -> nn.Module:
        return main_of(trained)

    def losses(self, network: Network, batch: Batch) -> Iterator[Tensor]:
        parts = [batch.images, self._added(network, batch)]
        if self.augmentation is not None:
            parts.append(augmented(batch, policy(self.augmentation), self.augmentation))
        if self.auxiliary:
            outputs = [network(images, branch=branch) for branch, images in enumerate(parts)]
        else:
            outputs = list(network(torch.cat(parts)).chunk(len(parts)))
        losses = [functional.cross_entropy(logits, batch.targets) for logits in outputs]
        yield torch.stack(losses).sum()

    def _added(self, network: Network, batch: Batch) -> Images:
        if self.images == "copy":
            return batch.images
        threat = Threat("linf", self.eps)
        start = inner_maximization.in_the_cube(batch.images, batch.uniform("start"), threat)
        if self.images == "noise":
            return start
        branch: dict[str, Any] = {"branch": ADVERSARIAL} if self.auxiliary else {}
        return inner_maximization.climb_cross_entropy(
            network, batch, start, threat=threat, steps=self.steps, step_size=self.step_size, **branch
        )
