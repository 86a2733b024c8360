"""Which rows and columns of every operation's output depend on a window of the image."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import fx

from .local_operations import LocalOperation, Pair
from .traced_network import TracedNetwork

BREAK_EVEN = 0.9
"""Fraction of the output of a convolution from which on the whole output is computed."""

Numbers = NDArray[np.int64]


class Reach(NamedTuple):
    """First and last row, or column, that depends on a window, for every position of the window."""

    first: Numbers
    last: Numbers


class Span(NamedTuple):
    """Rows, or columns, that are computed for a group of candidates: as many for all, from different ones on."""

    start: Numbers
    size: int

    @classmethod
    def of(cls, reach: Reach, positions: Numbers, out: int) -> Span:
        """Return the span that covers what depends on each candidate's window.

        Args:
            reach: What depends on a window, for every position.
            positions: Position of each candidate's window.
            out: Number of rows, or columns, of the output.
        """
        first = reach.first[positions]
        size = int((reach.last[positions] - first).max()) + 1
        return cls(np.minimum(first, out - size), size)


class WindowGeometry:
    """The part of every local operation's output that depends on a window of a given size."""

    def __init__(self, network: TracedNetwork, local: dict[fx.Node, LocalOperation], window: Pair, rest: int) -> None:
        """Follow a window through the network.

        Args:
            network: The trace.
            local: The operations through which windows can be followed; their inputs are among them.
            window: Height and width of the window in pixels.
            rest: Multiplications and additions in other convolutions.
        """
        image = network.values[network.input].shape[2:]
        positions = [np.arange(size - side + 1) for size, side in zip(image, window, strict=True)]
        start = [Reach(each, each + side - 1) for each, side in zip(positions, window, strict=True)]
        self.reach: dict[fx.Node, list[Reach]] = {network.input: start}
        """Reach of the rows and of the columns."""
        self.extents = [np.zeros(len(each)) for each in positions]
        """How much must be computed for a window, for every position of its rows and of its columns."""
        whole = remaining = float(rest)
        for node, operation in local.items():
            out = network.values[node].shape[2:]
            given = [self.reach[argument] for argument in node.all_input_nodes if argument in self.reach]
            self.reach[node] = [_reach([each[axis] for each in given], operation, axis, out[axis]) for axis in (0, 1)]
            if operation.operations:
                fractions = [
                    (each.last - each.first + 1) / size for each, size in zip(self.reach[node], out, strict=True)
                ]
                covered = float(fractions[0].mean() * fractions[1].mean())
                operations = operation.operations * out.numel()
                whole += operations
                remaining += operations * (covered if covered <= BREAK_EVEN else 1.0)
                for axis in (0, 1):
                    self.extents[axis] += fractions[axis]
        self.share = remaining / whole if whole else 1.0
        """Multiplications and additions that remain, on average over the positions, as a fraction of those of all
        convolutions."""

    def order(self, top: Numbers, left: Numbers, group: int) -> Numbers:
        """Return an order of the candidates in which groups of consecutive ones need rectangles of similar sizes.

        Args:
            top: First row of each candidate's window.
            left: First column of each candidate's window.
            group: Size of the groups.
        """
        rows, columns = self.extents[0][top], self.extents[1][left]
        bands = max(1, round((len(top) / group) ** 0.5))
        band = np.empty(len(top), np.int64)
        band[np.lexsort((top, rows))] = np.arange(len(top)) * bands // len(top)
        return np.lexsort((left, columns, band))


def _reach(given: list[Reach], operation: LocalOperation, axis: int, out: int) -> Reach:
    first = np.minimum.reduce([each.first for each in given])
    last = np.maximum.reduce([each.last for each in given])
    kernel, stride, padding = operation.kernel[axis], operation.stride[axis], operation.padding[axis]
    first = (-((kernel - 1 - padding - first) // stride)).clip(0, out - 1)
    return Reach(first, np.maximum(((last + padding) // stride).clip(max=out - 1), first))
