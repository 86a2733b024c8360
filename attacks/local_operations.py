"""Operations whose output at a pixel depends on a few pixels of their inputs, and how to compute a part of it."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as functional
from torch import Tensor, fx, nn

from .traced_network import TracedNetwork

Pair = tuple[int, int]

POINTWISE_MODULES = (
    nn.Identity,
    nn.Dropout,
    nn.Dropout2d,
    nn.ReLU,
    nn.ReLU6,
    nn.LeakyReLU,
    nn.PReLU,
    nn.ELU,
    nn.CELU,
    nn.SELU,
    nn.GELU,
    nn.SiLU,
    nn.Mish,
    nn.Softplus,
    nn.Sigmoid,
    nn.Tanh,
    nn.Hardtanh,
    nn.Hardswish,
    nn.Hardsigmoid,
)
POINTWISE_FUNCTIONS = (
    *(operator.add, operator.sub, operator.mul, operator.truediv, operator.neg),
    *(operator.iadd, operator.isub, operator.imul, operator.itruediv),
    *(torch.add, torch.sub, torch.mul, torch.div, torch.clamp, torch.relu, torch.relu_, torch.sigmoid, torch.tanh),
    *(functional.relu, functional.relu6, functional.leaky_relu, functional.elu, functional.gelu, functional.silu),
    *(functional.mish, functional.softplus, functional.sigmoid, functional.tanh, functional.hardtanh),
    *(functional.hardswish, functional.hardsigmoid),
)
POINTWISE_METHODS = (
    *("add", "add_", "sub", "sub_", "mul", "mul_", "div", "div_", "clamp", "clamp_", "relu", "relu_", "sigmoid"),
    *("tanh", "float", "double", "to", "contiguous", "clone"),
)


@dataclass(frozen=True, slots=True)
class LocalOperation:
    """An operation on windows: output pixel i depends on the inputs' pixels from `stride * i - padding` on."""

    compute: Callable[..., Tensor]
    """Maps regions of the inputs, without padding, to the region of the output that they determine."""
    kernel: Pair = (1, 1)
    """Height and width of the window, dilation included."""
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    """Padding above and to the left."""
    fill: float = 0.0
    """Value outside the inputs."""
    operations: int = 0
    """Multiplications and additions for one pixel of the output, of matrix products only."""

    @property
    def is_pointwise(self) -> bool:
        """Whether an output pixel depends on the pixel of the same position only."""
        return self.kernel == (1, 1) and self.stride == (1, 1) and self.padding == (0, 0)


def local_operation(network: TracedNetwork, node: fx.Node) -> LocalOperation | None:
    """Return how to compute a part of what an operation returns; None if it is not known to be local.

    Args:
        network: The trace.
        node: An operation whose result depends on the images.
    """
    inputs = [argument for argument in node.all_input_nodes if argument in network.depends]
    values = [network.values[argument] for argument in (node, *inputs)]
    if not all(isinstance(value, Tensor) and value.ndim == 4 for value in values):
        return None
    if node.op == "call_module":
        return _of_module(network.root.get_submodule(str(node.target)))
    if node.op in ("call_function", "call_method") and _is_pointwise(network, node, inputs):
        return LocalOperation(lambda *regions: network.run(node, dict(zip(inputs, regions, strict=True))))
    if node.op == "call_function" and len(inputs) == 1 and node.args[0] is inputs[0]:
        constants = {argument: network.values[argument] for argument in node.all_input_nodes if argument not in inputs}
        args, kwargs = fx.node.map_arg((node.args[1:], node.kwargs), constants.__getitem__)
        known = FUNCTIONS.get(node.target)
        return known(*args, **kwargs) if known is not None else None
    return None


def convolution_operations(network: TracedNetwork, node: fx.Node) -> int:
    """Return the multiplications and additions of one image in a convolution, also of an unknown kind; 0 elsewhere.

    Args:
        network: The trace.
        node: An operation.
    """
    value = network.values[node]
    if not isinstance(value, Tensor) or value.ndim != 4:
        return 0
    known = local_operation(network, node)
    weight = getattr(network.root.get_submodule(str(node.target)), "weight", None) if node.op == "call_module" else None
    unknown = 2 * weight.numel() if isinstance(weight, Tensor) and weight.ndim == 4 else 0
    return (known.operations if known is not None else unknown) * value[0, 0].numel()


def _is_pointwise(network: TracedNetwork, node: fx.Node, inputs: list[fx.Node]) -> bool:
    """Return whether an operation is pointwise: all inputs have one size, and constants the same value everywhere."""
    shapes = [network.values[argument].shape for argument in inputs]
    if node.target is torch.cat:
        given = node.args[0]
        together = isinstance(given, list | tuple) and [*given] == inputs
        return together and (node.args[1:] or tuple(node.kwargs.values())) in ((1,), (-3,)) and _one_size(shapes)
    if node.target not in (POINTWISE_FUNCTIONS if node.op == "call_function" else POINTWISE_METHODS):
        return False
    constants = [network.values[argument] for argument in node.all_input_nodes if argument not in inputs]
    everywhere = all(not isinstance(each, Tensor) or set(each.shape[-2:]) <= {1} for each in constants)
    return everywhere and _one_size([*shapes, network.values[node].shape])


def _one_size(shapes: list[torch.Size]) -> bool:
    return len({shape[:1] + shape[2:] for shape in shapes}) == 1


def _of_module(module: nn.Module) -> LocalOperation | None:
    kind = type(module)
    if kind in POINTWISE_MODULES:
        return LocalOperation(module)
    if isinstance(module, nn.BatchNorm2d) and kind is nn.BatchNorm2d and module.running_mean is not None:
        return LocalOperation(module)
    if isinstance(module, nn.Conv2d) and kind is nn.Conv2d and module.padding_mode == "zeros":
        shape = (module.stride, module.padding, module.dilation, module.groups)
        return _convolution(module.weight, module.bias, *shape)
    if isinstance(module, nn.MaxPool2d) and kind is nn.MaxPool2d and not module.return_indices:
        return _max_pool(module.kernel_size, module.stride, module.padding, module.dilation, module.ceil_mode)
    if isinstance(module, nn.AvgPool2d) and kind is nn.AvgPool2d:
        rest = (module.padding, module.ceil_mode, module.count_include_pad, module.divisor_override)
        return _average_pool(module.kernel_size, module.stride, *rest)
    return None


def _convolution(
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> LocalOperation:
    spread = _pair(dilation)
    kernel = (spread[0] * (weight.shape[2] - 1) + 1, spread[1] * (weight.shape[3] - 1) + 1)
    before = {"valid": (0, 0), "same": ((kernel[0] - 1) // 2, (kernel[1] - 1) // 2)}
    return LocalOperation(
        lambda region: functional.conv2d(region, weight, bias, stride, 0, dilation, groups),
        kernel,
        _pair(stride),
        before[padding] if isinstance(padding, str) else _pair(padding),
        operations=2 * weight.numel(),
    )


def _max_pool(
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> LocalOperation | None:
    if ceil_mode or return_indices or _pair(dilation) != (1, 1):
        return None
    kernel, step = _pair(kernel_size), _pair(stride or kernel_size)
    compute = lambda region: functional.max_pool2d(region, kernel, step)  # noqa: E731
    return LocalOperation(compute, kernel, step, _pair(padding), fill=float("-inf"))


def _average_pool(
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> LocalOperation | None:
    if ceil_mode or not (count_include_pad or _pair(padding) == (0, 0)):
        return None
    kernel, step = _pair(kernel_size), _pair(stride or kernel_size)
    compute = lambda region: functional.avg_pool2d(region, kernel, step, divisor_override=divisor_override)  # noqa: E731
    return LocalOperation(compute, kernel, step, _pair(padding))


def _batch_norm(mean: Tensor | None, variance: Tensor | None, *rest: Any, **named: Any) -> LocalOperation | None:
    if mean is None or variance is None or rest[2:3] == (True,) or named.get("training", False):
        return None
    return LocalOperation(lambda region: functional.batch_norm(region, mean, variance, *rest, **named))


def _pad(pad: Any, mode: str = "constant", value: float | None = None) -> LocalOperation | None:
    if mode != "constant" or len(pad) > 6 or not all(isinstance(width, int) for width in pad):
        return None
    left, _, top, _, *channels = (*pad, 0, 0) if len(pad) == 2 else pad
    fill = value or 0.0
    compute = lambda region: functional.pad(region, (0, 0, 0, 0, *channels), value=fill)  # noqa: E731
    return LocalOperation(compute, padding=(top, left), fill=fill)


def _slice(index: Any) -> LocalOperation | None:
    if not isinstance(index, tuple) or len(index) != 4 or index[:2] != (slice(None), slice(None)):
        return None
    if not all(isinstance(each, slice) and each.stop is None and (each.start or 0) >= 0 for each in index[2:]):
        return None
    (rows, columns), (down, across) = ([each.start or 0 for each in index[2:]], [each.step or 1 for each in index[2:]])
    return LocalOperation(lambda region: region[:, :, ::down, ::across], (1, 1), (down, across), (-rows, -columns))


def _pair(value: Any) -> Pair:
    return (value, value) if isinstance(value, int) else (tuple(value) * 2)[:2]


FUNCTIONS: dict[Any, Callable[..., LocalOperation | None]] = {
    torch.conv2d: _convolution,
    functional.conv2d: _convolution,
    functional.batch_norm: _batch_norm,
    functional.max_pool2d: _max_pool,
    functional.avg_pool2d: _average_pool,
    functional.pad: _pad,
    operator.getitem: _slice,
}
"""How the functions that are not pointwise read their arguments after the first."""
