"""Free adversarial training: every backward pass updates both the weights and the perturbation."""

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
    """A network and the perturbation that continues from batch to batch."""

    def __init__(self, network: nn.Module) -> None:
        """Wrap a network, without a perturbation so far.

        Args:
            network: The network to train.
        """
        super().__init__()
        self.network = network
        self.perturbation: Tensor | None = None

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of the network.

        Args:
            images: Normalized images; the perturbation is not added.
        """
        logits: Tensor = self.network(images)
        return logits

    def get_extra_state(self) -> dict[str, Tensor]:
        """Return the perturbation for a checkpoint; as a buffer it would be averaged with the weights."""
        return {} if self.perturbation is None else {"perturbation": self.perturbation}

    def set_extra_state(self, state: dict[str, Tensor]) -> None:
        """Restore the perturbation.

        Args:
            state: What `get_extra_state` returned.
        """
        self.perturbation = state.get("perturbation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Free(Recipe):
    """Free adversarial training: each batch is replayed, and each backward pass is used twice.

    One backward pass updates the weights and takes an FGSM step of length eps. The perturbation continues from batch
    to batch.

    Source: Shafahi et al. 2019, arXiv:1904.12843, algorithm 1; in train mode, as mahyarnajibi/FreeAdversarialTraining
    e185c84.
    Differs: the gradient is taken at the clipped image, in the reference code through the clipping, which stops it
    where a pixel is at the end of its range; an epoch counts samples, each of which is replayed `replays` times. When
    several processes resume from a checkpoint, all continue with the perturbation of the first.
    """

    version: ClassVar[int] = 1
    has_usual_radius: ClassVar[bool] = True

    eps: float = 8 / 255
    """Radius of the ball in L-infinity, in units of [0, 1] pixels."""
    replays: int = 4
    """Number of consecutive updates on each batch."""

    def __post_init__(self) -> None:
        Threat("linf", self.eps)
        if self.replays < 1:
            raise SpecError(f"replays must be >= 1, got {self.replays}.")

    @property
    def passes(self) -> float:
        """One forward and one backward pass per replay."""
        return 2 * self.replays

    @property
    def threat(self) -> Threat:
        """The L-infinity ball of radius `eps`."""
        return Threat("linf", self.eps)

    def prepare(self, module: nn.Module) -> nn.Module:
        """Return the network with room for a perturbation.

        Args:
            module: The network to train.
        """
        return WithPerturbation(module)

    def export(self, trained: nn.Module) -> nn.Module:
        """Return the network without the perturbation.

        Args:
            trained: What `prepare` returned.
        """
        network: nn.Module = trained.network  # type: ignore[assignment]
        return network

    def losses(self, network: Network, batch: Batch) -> Iterator[Tensor]:
        """Yield the cross-entropy of each replay; its backward pass also gives the step of the perturbation.

        Args:
            network: The network in training.
            batch: Images and targets of the step.
        """
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
