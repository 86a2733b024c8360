"""What a recipe is: what the network becomes while it is trained, and the losses of a batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Protocol, runtime_checkable

from torch import Tensor, nn

from .network import Network
from .training_batch import Batch


@runtime_checkable
class Recipe(Protocol):
    """A frozen dataclass; its fields are what distinguishes it, the schedule is given apart."""

    version: ClassVar[int]
    """Raised whenever the same fields would give other weights."""
    adversarial: ClassVar[bool] = False
    """Whether it trains for accuracy under attack, so that a collapse of that is a failure."""

    @property
    def passes(self) -> float:
        """Forward and backward passes through the trained network for every sample that is seen; those through a
        teacher count too."""

    def losses(self, network: Network, batch: Batch) -> Iterator[Tensor]:
        """One loss for every update of the weights; the gradients of all backward passes since the last count."""

    def prepare(self, module: nn.Module) -> nn.Module:
        """What is trained in the place of `module`, which may be changed; the same module where nothing is."""
        return module

    def export(self, trained: nn.Module) -> nn.Module:
        """Of what was trained, what is kept: a network of the architecture it began with, its activations aside."""
        return trained
