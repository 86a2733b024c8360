"""Fast AdvProp: only a part of the images is attacked, and the attack's own backward pass trains the network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from robustbench_eff.core.errors import DataError, SpecError
from robustbench_eff.core.threat import Threat

from .auxiliary_batch_norm import MAIN, WithAuxiliary, main_network, scale_gradients
from .inner_maximization import check_ascent, random_start
from .network import Network
from .recipe import Recipe
from .training_batch import Batch

AUXILIARY = 1
"""Branch of the attacked images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FastAdvProp(Recipe):
    """Fast AdvProp: a part of each batch is attacked by one step instead of being trained on as it is.

    The step is untargeted and uses the auxiliary batch norms in train mode. The gradients of that pass and of one on
    the resulting images count half each.

    Source: Mei et al. 2022, arXiv:2204.09838; meijieru/fast_advprop de5fa50: clean to attacked images 4:1, eps and step
    1/255, gradients of a parameter divided by the weighted number of samples that reached it, adversarial images
    shuffled before they are trained on.
    Differs: the attack always starts at a random point (in the reference code, by mistake, in about 42 % of the
    batches); the numbers of samples are those of `share`, where a batch cannot be divided exactly; with several
    processes, each shuffles its own images.
    """

    version: ClassVar[int] = 1

    eps: float = 1 / 255
    """Radius of the ball in L-infinity, in units of [0, 1] pixels."""
    step_size: float | None = None
    """Length of the step; None means eps."""
    share: float = 0.2
    """Share of the images to attack, between 0 and 1."""

    def __post_init__(self) -> None:
        check_ascent(self.eps, "linf", 1, self.step_size)
        if not 0 < self.share < 1:
            raise SpecError(f"share must be between 0 and 1, got {self.share:g}.")

    @property
    def passes(self) -> float:
        """Two passes for clean images, four for attacked ones."""
        return 2 * (1 - self.share) + 4 * self.share

    def prepare(self, module: nn.Module) -> nn.Module:
        """Return the network with auxiliary batch norms, and scale the gradients of all batch norms.

        Args:
            module: The network to train.
        """
        prepared = WithAuxiliary(module)
        scale_gradients(prepared.sets, 1 / self.share)
        norms = [layer for layer in module.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]
        for norm in norms:
            scale_gradients(norm, 1 / (1 - self.share))
        return prepared

    def export(self, trained: nn.Module) -> nn.Module:
        """Return the network with its main batch norms.

        Args:
            trained: What `prepare` returned.
        """
        return main_network(trained)

    def losses(self, network: Network, batch: Batch) -> Iterator[Tensor]:
        """Yield the loss of clean and adversarial images; the attack's loss has had its backward pass by then.

        Args:
            network: The network in training.
            batch: Images and targets of the step.

        Raises:
            DataError: The batch is too small to attack this share of it.
        """
        total, threat = len(batch.images), Threat("linf", self.eps)
        count = round(self.share * total)
        if not 0 < count < total:
            raise DataError(f"A share of {self.share:g} of {total} images cannot be attacked.")
        clean, attacked = slice(count, None), slice(None, count)
        images, targets = batch.images[attacked], batch.targets[attacked]
        start = random_start(images, batch.uniform("start")[attacked], threat).requires_grad_()
        attack_loss = functional.cross_entropy(network(start, branch=AUXILIARY), targets, reduction="sum")
        half = 0.5 * attack_loss / total
        half.backward()  # type: ignore[no-untyped-call]
        assert start.grad is not None
        step = self.step_size or self.eps
        adversarial = threat.project(torch.add(start.detach(), start.grad.sign(), alpha=step), images)
        shuffled = torch.randperm(count, generator=batch.generator("shuffle")).to(images.device)
        loss = functional.cross_entropy(
            network(batch.images[clean], branch=MAIN), batch.targets[clean], reduction="sum"
        )
        logits = network(adversarial[shuffled], branch=AUXILIARY)
        loss = loss + 0.5 * functional.cross_entropy(logits, targets[shuffled], reduction="sum")
        yield loss / total
