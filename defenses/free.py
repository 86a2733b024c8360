"""Free adversarial training: every backward pass moves weights and images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from robustbench_eff.core.errors import SpecError
from robustbench_eff.core.threat import Threat

from .network import Network
from .recipe import Recipe
from .training_batch import Batch


class WithPerturbation(nn.Module):
    """A network and the perturbation that goes on from batch to batch; none before the first."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.perturbation: Tensor | None = None

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(images)
        return logits

    def get_extra_state(self) -> dict[str, Tensor]:
        """Part of every checkpoint; no buffer, of which a mean would be taken with the weights."""
        return {} if self.perturbation is None else {"perturbation": self.perturbation}

    def set_extra_state(self, state: dict[str, Tensor]) -> None:
        self.perturbation = state.get("perturbation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Free(Recipe):
    """Each batch `replays` times; one backward pass updates the weights and takes an FGSM step of length eps, and the
    perturbation goes on from batch to batch.

    Source: Shafahi et al. 2019, arXiv:1904.12843, algorithm 1; in train mode, as mahyarnajibi/FreeAdversarialTraining
    e185c84.
    Differs: the gradient is taken at the clipped image, there through the clipping, which stops it where a pixel is at
    the end of its range; epochs are of samples, each seen `replays` times. Several processes go on from a checkpoint
    with the perturbation of the first.
    """

    version: ClassVar[int] = 1
    adversarial: ClassVar[bool] = True

    eps: float = 8 / 255
    """Radius of the ball in L-infinity, in units of [0, 1] pixels."""
    replays: int = 4

    def __post_init__(self) -> None:
        Threat("linf", self.eps)
        if self.replays < 1:
            raise SpecError(f"replays must be >= 1, got {self.replays}.")

    @property
    def passes(self) -> float:
        return 2 * self.replays

    def prepare(self, module: nn.Module) -> nn.Module:
        return WithPerturbation(module)

    def export(self, trained: nn.Module) -> nn.Module:
        network: nn.Module = trained.network  # type: ignore[assignment]
        return network

    def losses(self, network: Network, batch: Batch) -> Iterator[Tensor]:
        holder = network.module
        assert isinstance(holder, WithPerturbation)
        delta = holder.perturbation
        delta = torch.zeros_like(batch.images) if delta is None else delta.to(batch.images.device)
        for _ in range(self.replays):
            attacked = (batch.images + delta).clamp_(0, 1).requires_grad_()
            yield functional.cross_entropy(network(attacked), batch.targets)
            assert attacked.grad is not None
            delta = torch.add(delta, attacked.grad.sign(), alpha=self.eps).clamp_(-self.eps, self.eps)
        holder.perturbation = delta
