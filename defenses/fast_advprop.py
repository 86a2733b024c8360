"""Fast AdvProp: a part of the images is attacked, and the attack's own backward pass trains."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from robustbench_eff.core.errors import DataError, SpecError
from robustbench_eff.core.threat import Threat

from . import inner_maximization
from .auxiliary_batch_norm import MAIN, WithAuxiliary, main_of, weighted_gradients
from .network import Network
from .recipe import Recipe
from .training_batch import Batch

AUXILIARY = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class FastAdvProp(Recipe):
    """Of each batch a part is not trained on as it is, but attacked by one untargeted step through the auxiliary batch
    norms in train mode; the gradients of that pass and of one on what it gave count half each.

    Source: Mei et al. 2022, arXiv:2204.09838; meijieru/fast_advprop de5fa50: clean to attacked images 4:1, eps and step
    1/255, gradients of a parameter divided by the weighted number of samples that touched it, adversarial images
    shuffled before they are trained on.
    Differs: the attack always starts at a random point (there in about 42 % of the batches, by a slip); the numbers of
    samples are those of `share`, where a batch cannot be divided exactly; several processes shuffle their own images.
    """

    version: ClassVar[int] = 1

    eps: float = 1 / 255
    """Radius of the ball in L-infinity, in units of [0, 1] pixels."""
    step_size: float | None = None
    """None means eps."""
    share: float = 0.2
    """Of the images that are attacked."""

    def __post_init__(self) -> None:
        inner_maximization.check(self.eps, "linf", 1, self.step_size)
        if not 0 < self.share < 1:
            raise SpecError(f"share must be between 0 and 1, got {self.share:g}.")

    @property
    def passes(self) -> float:
        return 2 * (1 - self.share) + 4 * self.share

    def prepare(self, module: nn.Module) -> nn.Module:
        prepared = WithAuxiliary(module)
        weighted_gradients(prepared.sets, 1 / self.share)
        norms = [part for part in module.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]
        for norm in norms:
            weighted_gradients(norm, 1 / (1 - self.share))
        return prepared

    def export(self, trained: nn.Module) -> nn.Module:
        return main_of(trained)

    def losses(self, network: Network, batch: Batch) -> Iterator[Tensor]:
        count = round(self.share * len(batch.images))
        if not 0 < count < len(batch.images):
            raise DataError(f"Of {len(batch.images)} images no share of {self.share:g} can be attacked.")
        clean, attacked = slice(count, None), slice(None, count)
        whole, threat = len(batch.images), Threat("linf", self.eps)
        images, targets = batch.images[attacked], batch.targets[attacked]
        start = inner_maximization.in_the_cube(images, batch.uniform("start")[attacked], threat).requires_grad_()
        passed = functional.cross_entropy(network(start, branch=AUXILIARY), targets, reduction="sum")
        half = 0.5 * passed / whole
        half.backward()  # type: ignore[no-untyped-call]
        assert start.grad is not None
        step = self.step_size or self.eps
        adversarial = threat.project(torch.add(start.detach(), start.grad.sign(), alpha=step), images)
        mixed = torch.randperm(count, generator=batch.generator("shuffle")).to(images.device)
        loss = functional.cross_entropy(
            network(batch.images[clean], branch=MAIN), batch.targets[clean], reduction="sum"
        )
        again = network(adversarial[mixed], branch=AUXILIARY)
        loss = loss + 0.5 * functional.cross_entropy(again, targets[mixed], reduction="sum")
        yield loss / whole
