"""`batches`: nothing is added to the network, which may itself depend on the batch or adapt in its forward."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from robustbench_eff.core.stream import Order, Reset, Stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Batches:
    """The network as it is, in batches of a stated size. See `Adaptation`."""

    size: int
    """Images per batch; 1 evaluates one image at a time."""
    order: Order = "iid"
    """Order of the images: `given`, `iid`, `class_sorted` or `gradual`."""
    reset: Reset = "batch"
    """When the network is restored to the state in which it was loaded: after every `batch`, or `never`."""
    orders: int | None = None
    """Number of orders that are evaluated; None for 3 drawn ones, or 1 where nothing is drawn."""
    version: ClassVar[int] = 1

    @property
    def stream(self) -> Stream:
        """The batches, the order and the memory of the network."""
        return Stream(batch_size=self.size, order=self.order, reset=self.reset, orders=self.orders)

    def __call__(self, network: nn.Module) -> nn.Module:
        """Return the network itself. See `Adaptation`.

        Args:
            network: Any network.
        """
        return network
