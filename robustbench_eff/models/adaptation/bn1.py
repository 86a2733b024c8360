"""BN-1: prediction with the batch-norm statistics of the test batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from robustbench_eff.core.stream import Order, Stream

from .batch_statistics import use_batch_statistics


@dataclass(frozen=True, slots=True, kw_only=True)
class BN1:
    """Every batch norm uses the mean and variance of the batch, and none of those of training. See `Adaptation`.

    Nothing is remembered from batch to batch.

    Source:
        Nado et al. 2020, arXiv:2006.10963, section 3; Schneider et al. 2020, arXiv:2006.16971, equation 1 with N = 0.
    """

    batch_size: int = 200
    """Images per batch."""
    order: Order = "iid"
    """Order of the images: `given`, `iid`, `class_sorted` or `gradual`."""
    orders: int | None = None
    """Number of orders that are evaluated; None for 3 drawn ones, or 1 where nothing is drawn."""
    version: ClassVar[int] = 1

    @property
    def stream(self) -> Stream:
        """The batches and their order."""
        return Stream(batch_size=self.batch_size, order=self.order, reset="batch", orders=self.orders)

    def __call__(self, network: nn.Module) -> nn.Module:
        """Return the network with the statistics of the batch. See `Adaptation`.

        Args:
            network: Network to change.

        Raises:
            ModelError: It has no batch norm.
        """
        use_batch_statistics(network)
        return network
