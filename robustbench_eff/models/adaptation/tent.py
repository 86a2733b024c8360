"""TENT: the scales and shifts of batch norms are trained on the test images, to lower the entropy of predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from robustbench_eff.core.errors import ModelError, SpecError
from robustbench_eff.core.stream import Order, Reset, Stream
from robustbench_eff.core.types import Images, Logits

from .batch_statistics import use_batch_statistics


@dataclass(frozen=True, slots=True, kw_only=True)
class Tent:
    """Entropy minimisation with Adam on the affine parameters of batch norms. See `Adaptation`.

    Batch norms use the statistics of the batch. The logits of a batch are those of the forward pass before its own last
    update, so the first batch is answered as by BN-1.

    Source:
        Wang et al. 2021, arXiv:2006.10726, section 3; defaults as for CIFAR-10-C in the authors' code, DequanWang/tent
        e9e926a.
    Differs:
        Only batch norms leave eval mode; the authors' code puts the whole network into train mode, which would switch
        dropout on.

    Raises:
        SpecError: The learning rate is not positive, or there are fewer than one steps.
    """

    batch_size: int = 200
    """Images per batch."""
    order: Order = "iid"
    """Order of the images: `given`, `iid`, `class_sorted` or `gradual`."""
    reset: Reset = "never"
    """When parameters and optimizer are restored: after every `batch` (episodic), or `never` (online)."""
    lr: float = 1e-3
    """Learning rate of Adam, whose decay rates are 0.9 and 0.999."""
    steps: int = 1
    """Updates per batch."""
    orders: int | None = None
    """Number of orders that are evaluated; None for 3 drawn ones, or 1 where nothing is drawn."""
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        """Check the values."""
        if not self.lr > 0:
            raise SpecError(f"lr must be positive, got {self.lr}.", "The paper's value is 0.001.")
        if self.steps < 1:
            raise SpecError(f"steps must be at least 1, got {self.steps}.", "bn1 adapts without any step.")

    @property
    def stream(self) -> Stream:
        """The batches, the order and the memory of the network."""
        return Stream(batch_size=self.batch_size, order=self.order, reset=self.reset, orders=self.orders)

    def __call__(self, network: nn.Module) -> nn.Module:
        """Return the network that learns from every batch. See `Adaptation`.

        Args:
            network: Network to change.

        Raises:
            ModelError: It has no batch norm with a scale or a shift.
        """
        return TentNetwork(network, self.lr, self.steps)


class TentNetwork(nn.Module):
    """A network with the optimizer of its batch norms."""

    def __init__(self, network: nn.Module, lr: float, steps: int) -> None:
        """Prepare the network: only scales and shifts of batch norms will change.

        Args:
            network: Network to change.
            lr: Learning rate.
            steps: Updates per batch.

        Raises:
            ModelError: It has no batch norm with a scale or a shift.
        """
        super().__init__()
        norms = use_batch_statistics(network)
        affine = [tensor for norm in norms for tensor in (norm.weight, norm.bias) if tensor is not None]
        if not affine:
            raise ModelError(
                f"The batch norms of {type(network).__name__} have neither scale nor shift: TENT cannot adapt it.",
                "Use --adapt bn1, which needs neither.",
            )
        network.requires_grad_(False)
        for tensor in affine:
            tensor.requires_grad_(True)
        self.network, self.steps = network, steps
        self.optimizer = torch.optim.Adam(affine, lr=lr, betas=(0.9, 0.999))

    def forward(self, images: Images) -> Logits:
        """Return the logits of a batch, and learn from it.

        Args:
            images: Normalized images.
        """
        logits = torch.empty(0)
        with torch.enable_grad():
            for _ in range(self.steps):
                logits = self.network(images.detach())
                entropy = -(logits.softmax(1) * logits.log_softmax(1)).sum(1).mean()
                self.optimizer.zero_grad()
                entropy.backward()
                self.optimizer.step()
        return logits.detach()
