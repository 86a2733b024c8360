"""Logits of images that differ from a base image in a small window, computed from the base image's activations.

Of every operation only the rectangle that depends on the window is computed, with the base image's activations around
it. From the operation on whose rectangle covers nearly all of its output, or which is not known to be local, whole
outputs are computed.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor, fx, nn

from robustbench_eff.core.types import Images, Logits

from .local_operations import LocalOperation, Pair, convolution_operations, local_operation
from .traced_network import TracedNetwork, UntraceableError
from .window_geometry import BREAK_EVEN, Numbers, Span, WindowGeometry

MAX_GROUP_VALUES = 2**20
"""Values in the largest activation of a group of candidates, so that it stays in a processor's cache."""


class Patch(NamedTuple):
    """The computed part of an operation's output."""

    rows: Span
    columns: Span
    values: Tensor
    """Shape (candidates, channels, rows, columns)."""


class Group(NamedTuple):
    """Images that are evaluated together."""

    numbers: Numbers
    """Index of each image."""
    top: Numbers
    """First row of each window."""
    left: Numbers
    """First column of each window."""
    slots: Numbers
    """Where the base image of each image is kept."""


class _Kept(NamedTuple):
    """An activation of the base images that is kept: a value outside the image, and how many such pixels around it."""

    fill: float
    margin: int


class IncrementalNetwork:
    """A network that answers for images that differ from others in a window."""

    def __init__(self, network: nn.Module, probe: Images) -> None:
        """Trace a network.

        Args:
            network: Network in eval mode that maps images to logits.
            probe: Images of the size to query, at least two.

        Raises:
            UntraceableError: It cannot be traced; torch.fx raises other errors, see `UNTRACEABLE`.
        """
        trace = self._trace = TracedNetwork(network, probe)
        self._local: dict[fx.Node, LocalOperation] = {}
        self._whole_operations = 0
        """Multiplications and additions of one image in convolutions that are always computed whole."""
        self._kept: dict[fx.Node, dict[float, _Kept]] = {}
        self._inputs: dict[fx.Node, list[fx.Node]] = {}
        for node in trace.nodes[1:]:
            if node not in trace.depends or node.op == "output":
                continue
            inputs = self._inputs[node] = [each for each in node.all_input_nodes if each in trace.depends]
            patches = [each for each in inputs if each is trace.input or each in self._local]
            operation = local_operation(trace, node)
            if patches != inputs:
                operation = None
            if operation is not None:
                self._local[node] = operation
            else:
                self._whole_operations += convolution_operations(trace, node)
            if operation is None or not operation.is_pointwise or len(inputs) > 1:
                for argument in patches:
                    self._keep(argument, node, operation)
        logits = trace.values[trace.nodes[-1].args[0]]
        if logits.ndim != 2 or logits.dtype != probe.dtype:
            raise UntraceableError("it returns something else than logits")
        self._geometries: dict[Pair, WindowGeometry] = {}
        self._bases: dict[fx.Node, dict[float, Tensor]] = {}
        largest = max(trace.values[node][0].numel() for node in self._local) if self._local else MAX_GROUP_VALUES
        self.group = max(32, min(256, MAX_GROUP_VALUES // largest))
        """Number of candidates that should be evaluated together."""

    @property
    def values_per_base(self) -> int:
        """Number of values that are kept of every base image."""
        shapes = {node: self._trace.values[node].shape[1:] for node in self._kept}
        return sum(
            channels * (height + 2 * kept.margin) * (width + 2 * kept.margin)
            for node, (channels, height, width) in shapes.items()
            for kept in self._kept[node].values()
        )

    def geometry(self, window: Pair) -> WindowGeometry:
        """Return what depends on windows of a size.

        Args:
            window: Height and width in pixels.
        """
        if window not in self._geometries:
            self._geometries[window] = WindowGeometry(self._trace, self._local, window, self._whole_operations)
        return self._geometries[window]

    def _keep(self, argument: fx.Node, node: fx.Node, operation: LocalOperation | None) -> None:
        """Note which activations of the base images an operation needs of its argument."""
        kept = self._kept.setdefault(argument, {})
        kept.setdefault(0.0, _Kept(0.0, 0))
        if operation is None:
            return
        margin = kept[operation.fill].margin if operation.fill in kept else 0
        for axis in (0, 1):
            stride, padding, kernel = operation.stride[axis], operation.padding[axis], operation.kernel[axis]
            size, out = (self._trace.values[each].shape[2 + axis] for each in (argument, node))
            margin = max(margin, padding, (out - 1) * stride + kernel - padding - size)
        kept[operation.fill] = _Kept(operation.fill, margin)

    def load(self, images: Images, slots: Numbers, capacity: int) -> None:
        """Compute and keep the activations of base images.

        Args:
            images: Base images.
            slots: Where to keep each of them, in [0, capacity).
            capacity: Number of base images that are kept.
        """
        where = torch.from_numpy(slots)
        results: dict[fx.Node, Any] = {self._trace.input: images.clone()}
        for node in self._trace.nodes:
            if node in self._inputs:
                results[node] = self._trace.run(node, results)
            for fill, kept in self._kept.get(node, {}).items():
                padded = functional.pad(results[node], (kept.margin,) * 4, value=fill).permute(0, 2, 3, 1)
                bases = self._bases.setdefault(node, {})
                if fill not in bases or len(bases[fill]) != capacity:
                    bases[fill] = padded.new_empty((capacity, *padded.shape[1:]))
                bases[fill][where] = padded

    def __call__(self, images: Images, window: Pair, group: Group) -> Logits:
        """Return the logits of a group of images that equal a base image outside a window.

        Args:
            images: Images in [0, 1], more than those of the group.
            window: Height and width of the windows in pixels.
            group: The group.
        """
        return _Evaluation(self, self.geometry(window), group).run(images, window)


class _Evaluation:
    """The evaluation of one group of candidates."""

    def __init__(self, network: IncrementalNetwork, geometry: WindowGeometry, group: Group) -> None:
        self._network, self._geometry, self._group = network, geometry, group
        self._trace = network._trace
        self._patches: dict[fx.Node, Patch] = {}
        self._whole: dict[fx.Node, Any] = {}

    def run(self, images: Images, window: Pair) -> Logits:
        """Return the logits."""
        trace, inputs, group = self._trace, self._network._inputs, self._group
        rows, columns = Span(group.top, window[0]), Span(group.left, window[1])
        self._patches[trace.input] = Patch(rows, columns, _cut(images, group.numbers, rows, columns))
        for node in trace.nodes[1:]:
            if node not in inputs:
                continue
            patch = self._patch(node, inputs[node])
            if patch is not None:
                self._patches[node] = patch
            elif node.target == "size":
                self._whole[node] = len(group.numbers)
            else:
                self._whole[node] = trace.run(node, {each: self._all(each) for each in inputs[node]})
        logits: Logits = self._all(trace.nodes[-1].args[0])
        return logits

    def _all(self, node: fx.Node) -> Any:
        """Return the whole output of an operation."""
        if node not in self._whole:
            height, width = self._trace.values[node].shape[2:]
            zero = np.zeros_like(self._group.slots)
            self._whole[node] = self._region(node, Span(zero, height), Span(zero, width), 0.0)
        return self._whole[node]

    def _patch(self, node: fx.Node, inputs: list[fx.Node]) -> Patch | None:
        """Return the part of an output that depends on the windows; None if the whole output is to be computed."""
        operation = self._network._local.get(node)
        if operation is None or not all(each in self._patches for each in inputs):
            return None
        if operation.is_pointwise and len(inputs) == 1:
            given = self._patches[inputs[0]]
            return Patch(given.rows, given.columns, operation.compute(given.values))
        out = self._trace.values[node].shape[2:]
        spans, needed = [], []
        for axis, reach in enumerate(self._geometry.reach[node]):
            made = Span.of(reach, (self._group.top, self._group.left)[axis], out[axis])
            stride, kernel = operation.stride[axis], operation.kernel[axis]
            spans.append(made)
            needed.append(Span(made.start * stride - operation.padding[axis], (made.size - 1) * stride + kernel))
        if operation.operations and spans[0].size * spans[1].size > BREAK_EVEN * out[0] * out[1]:
            return None
        regions = [self._region(each, needed[0], needed[1], operation.fill) for each in inputs]
        return Patch(spans[0], spans[1], operation.compute(*regions))

    def _region(self, node: fx.Node, rows: Span, columns: Span, fill: float) -> Tensor:
        """Return a rectangle of an operation's output: its patch, and the activations of the base images around it."""
        patch = self._patches[node]
        down, across = patch.rows.start - rows.start, patch.columns.start - columns.start
        high, wide = patch.rows.size, patch.columns.size
        if (rows.size, columns.size) == (high, wide) and not down.any() and not across.any():
            return patch.values
        base, margin = self._network._bases[node][fill], self._network._kept[node][fill].margin
        pixels = self._around(base, rows, columns, margin)
        count, channels = len(pixels) - 1, base.shape[3]
        region = pixels[:count].view(-1, rows.size, columns.size, channels)
        values = patch.values.permute(0, 2, 3, 1)
        first, left = int(down[0]), int(across[0])
        if (
            (down == first).all()
            and (across == left).all()
            and 0 <= first <= rows.size - high
            and 0 <= left <= columns.size - wide
        ):
            region[:, first : first + high, left : left + wide] = values
        else:
            row, column = down[:, None] + np.arange(high), across[:, None] + np.arange(wide)
            target = ((np.arange(len(row)) * rows.size)[:, None] + row)[:, :, None] * columns.size + column[:, None]
            inside = ((row >= 0) & (row < rows.size))[:, :, None] & ((column >= 0) & (column < columns.size))[:, None]
            target = np.where(inside, target, count)  # the last pixel takes what lies outside the rectangle
            pixels.index_copy_(0, torch.from_numpy(target.ravel()), values.reshape(-1, channels))
        return region.permute(0, 3, 1, 2)

    def _around(self, base: Tensor, rows: Span, columns: Span, margin: int) -> Tensor:
        """Return the rectangles of the base images, pixel by pixel, and one pixel more."""
        _, tall, wide, channels = base.shape
        start = (self._group.slots * tall + rows.start + margin) * wide + columns.start + margin
        index = torch.from_numpy((start[:, None] + np.arange(rows.size) * wide).ravel())
        run = columns.size * channels
        runs = base.as_strided((base.numel() // channels - columns.size + 1, run), (channels, 1))
        count = len(index) * columns.size
        pixels = base.new_empty((count + 1, channels))
        torch.index_select(runs, 0, index, out=pixels[:count].view(len(index), run))
        return pixels


def _cut(images: Images, numbers: Numbers, rows: Span, columns: Span) -> Tensor:
    """Return the windows of images, shape (candidates, channels, rows, columns)."""
    channels, height, width = images.shape[1:]
    row, column = rows.start[:, None] + np.arange(rows.size), columns.start[:, None] + np.arange(columns.size)
    channel = numbers[:, None] * channels + np.arange(channels)
    index = (channel[:, :, None] * height + row[:, None])[..., None] * width + column[:, None, None]
    return images.flatten().index_select(0, torch.from_numpy(index.ravel())).view(index.shape)
