"""From the TensorFlow variables of smooth adversarial training (SAT) to the state_dict of timm's networks.

Source: names and shapes of cihangxie/SmoothAdversarialTraining 988c080, whose EfficientNets have five-dimensional batch
norms, and whose ResNets were trained on BGR images with tensorpack's layers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from robustbench_eff.core.errors import ModelError

STEM = "/stem/conv2d/kernel"
"""End of the name of an EfficientNet's first variable."""
AVERAGE = "/ExponentialMovingAverage"
"""End of the name of a variable's moving average."""
BOOKKEEPING = ("EMA", "ExponentialMovingAverage", "Momentum", "RMSProp", "RMSProp_1", "global_step", "learning_rate")
"""Last parts of the names of variables that only training uses."""

Values = npt.NDArray[Any]
Variables = Mapping[str, Values]


def _kernel(value: Values) -> Values:
    """Axes (height, width, inputs, outputs) as (outputs, inputs, height, width)."""
    return value.transpose(3, 2, 0, 1)


def _kernel_of_bgr(value: Values) -> Values:
    """The same for a network whose first input channel is blue."""
    return _kernel(value)[:, ::-1]


def _depthwise(value: Values) -> Values:
    return value.transpose(2, 3, 0, 1)


def _flat(value: Values) -> Values:
    return value.reshape(-1)


def _single(value: Values) -> Values:
    return value.reshape(())


class VariableMapping(NamedTuple):
    """One entry of the state_dict and the variable that it comes from."""

    key: str
    """Key of the state_dict."""
    variable: str
    """Name of the TensorFlow variable."""
    arrange: Callable[[Values], Values]
    """Function that brings the axes into torch's order."""


def state_of(variables: Variables, module: nn.Module, path: Path) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Return the state_dict of a timm network, and notes on what was left out.

    If a variable has a moving average, as in EfficientNet-L1-enhanced, the average is used.

    Args:
        variables: Values of the checkpoint's variables by name.
        module: EfficientNet or ResNet of timm.
        path: File of the checkpoint, for messages.

    Raises:
        ModelError: A variable is missing, has another shape, or does not belong to the network.
    """
    is_resnet = hasattr(module, "layer1")
    mappings = list(_resnet(module) if is_resnet else _efficientnet(module, _scope(variables, path)))
    wanted, state = module.state_dict(), {}
    averaged = False
    for key, name, arrange in mappings:
        if name not in variables:
            raise ModelError(f"{path} does not contain a variable {name}.", "Is it the checkpoint of this model?")
        averaged |= name + AVERAGE in variables
        value = variables.get(name + AVERAGE, variables[name])
        try:
            entry = arrange(value)
        except ValueError:
            entry = value
        if entry.shape != tuple(wanted[key].shape):
            raise ModelError(
                f"{path}: {name} has shape {value.shape}, which does not give {tuple(wanted[key].shape)}.",
                "Is it the checkpoint of this model?",
            )
        state[key] = torch.tensor(np.ascontiguousarray(entry, dtype=np.float32)).reshape(entry.shape)
    unused = set(variables) - {mapping.variable for mapping in mappings}
    training = {name for name in unused if name.rpartition("/")[2] in BOOKKEEPING}
    if unknown := sorted(unused - training):
        raise ModelError(f"{path} contains {len(unknown)} variables of no known part, such as {unknown[0]}.")
    notes = ["the moving averages of the weights"] if averaged else []
    return state, (*notes, *([f"{len(training)} variables of training left out"] if training else []))


def _scope(variables: Variables, path: Path) -> str:
    scopes = [name.removesuffix(STEM) for name in variables if name.endswith(STEM)]
    if len(scopes) != 1:
        raise ModelError(
            f"{path} does not contain an EfficientNet of SAT: no variable ends with {STEM}.", "Is it another model?"
        )
    return scopes[0]


def _resnet(module: nn.Module) -> Iterator[VariableMapping]:
    """Batch norms and learned activations are in the scope of their convolution."""
    yield VariableMapping("conv1.weight", "conv0/W", _kernel_of_bgr)
    yield from _norm("bn1", "conv0/bn", mean="mean/EMA", variance="variance/EMA")
    yield from _learned(module, "act1", "conv0")
    for group in range(4):
        for index, block in enumerate(getattr(module, f"layer{group + 1}")):
            key, scope = f"layer{group + 1}.{index}", f"group{group}/block{index}"
            layers = [(f"conv{layer}", f"bn{layer}", f"conv{layer}") for layer in (1, 2, 3)]
            if block.downsample is not None:
                layers.append(("downsample.0", "downsample.1", "convshortcut"))
            for convolution, norm, name in layers:
                yield VariableMapping(f"{key}.{convolution}.weight", f"{scope}/{name}/W", _kernel)
                yield from _norm(f"{key}.{norm}", f"{scope}/{name}/bn", mean="mean/EMA", variance="variance/EMA")
            for activation, within in (("act1", f"{scope}/conv1"), ("act2", f"{scope}/conv2"), ("act3", scope)):
                yield from _learned(module, f"{key}.{activation}", within)
    yield VariableMapping("fc.weight", "linear/W", np.transpose)
    yield VariableMapping("fc.bias", "linear/b", _flat)


def _learned(module: nn.Module, key: str, scope: str) -> Iterator[VariableMapping]:
    """SmoothReLU has one parameter, other activations none."""
    for name, _ in module.get_submodule(key).named_parameters():
        yield VariableMapping(f"{key}.{name}", f"{scope}/smoothrelu_beta", _single)


def _efficientnet(module: nn.Module, scope: str) -> Iterator[VariableMapping]:
    yield VariableMapping("conv_stem.weight", f"{scope}/stem/conv2d/kernel", _kernel)
    yield from _norm("bn1", f"{scope}/stem/tpu_batch_normalization")
    blocks = [
        (f"blocks.{stage}.{index}", block)
        for stage, stage_blocks in enumerate(module.blocks)  # type: ignore[arg-type]
        for index, block in enumerate(stage_blocks)
    ]
    for number, (key, block) in enumerate(blocks):
        yield from _block(key, f"{scope}/blocks_{number}", expands=hasattr(block, "conv_pwl"))
    yield VariableMapping("conv_head.weight", f"{scope}/head/conv2d/kernel", _kernel)
    yield from _norm("bn2", f"{scope}/head/tpu_batch_normalization")
    yield VariableMapping("classifier.weight", f"{scope}/head/dense/kernel", np.transpose)
    yield VariableMapping("classifier.bias", f"{scope}/head/dense/bias", _flat)


def _block(key: str, scope: str, *, expands: bool) -> Iterator[VariableMapping]:
    """Layers of a kind are numbered in their order; blocks of the first stage do not expand."""
    pointwise = ["conv_pw", "conv_pwl"] if expands else ["conv_pw"]
    for number, name in enumerate(pointwise):
        yield VariableMapping(f"{key}.{name}.weight", f"{scope}/conv2d{_suffix(number)}/kernel", _kernel)
    yield VariableMapping(f"{key}.conv_dw.weight", f"{scope}/depthwise_conv2d/depthwise_kernel", _depthwise)
    for number in range(len(pointwise) + 1):
        yield from _norm(f"{key}.bn{number + 1}", f"{scope}/tpu_batch_normalization{_suffix(number)}")
    for number, name in enumerate(("conv_reduce", "conv_expand")):
        yield VariableMapping(f"{key}.se.{name}.weight", f"{scope}/se/conv2d{_suffix(number)}/kernel", _kernel)
        yield VariableMapping(f"{key}.se.{name}.bias", f"{scope}/se/conv2d{_suffix(number)}/bias", _flat)


def _norm(
    key: str, scope: str, mean: str = "moving_mean", variance: str = "moving_variance"
) -> Iterator[VariableMapping]:
    names = {"weight": "gamma", "bias": "beta", "running_mean": mean, "running_var": variance}
    for entry, variable in names.items():
        yield VariableMapping(f"{key}.{entry}", f"{scope}/{variable}", _flat)


def _suffix(number: int) -> str:
    return f"_{number}" if number else ""
