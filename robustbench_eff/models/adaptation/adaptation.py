"""Adaptation: how a network adapts to the images it is tested on, and the stream in which it sees them."""

from __future__ import annotations

from typing import ClassVar, Protocol, runtime_checkable

from torch import nn

from robustbench_eff.core.stream import Stream


@runtime_checkable
class Adaptation(Protocol):
    """A frozen dataclass that makes a network adapt; its fields are its hyper-parameters and those of its stream."""

    version: ClassVar[int]
    """Increased whenever the same fields would give other answers."""

    @property
    def stream(self) -> Stream:
        """The batches, the order and the memory of the network."""

    def __call__(self, network: nn.Module) -> nn.Module:
        """Return the network that answers batch after batch; each call starts anew.

        The result receives normalized images, shape (batch, channel, height, width), without gradients being recorded,
        and returns logits, shape (batch, classes). Whatever it changes lies in itself or in `network`.

        Args:
            network: A copy of the evaluated network in eval mode, which may be changed.

        Raises:
            ModelError: The network has nothing that could be adapted.
        """
