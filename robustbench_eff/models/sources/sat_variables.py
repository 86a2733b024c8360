"""Smooth adversarial training's TensorFlow variables as the entries of timm's networks.

Source: names and shapes of cihangxie/SmoothAdversarialTraining 988c080, whose EfficientNets have batch norms of five
dimensions, and whose ResNets were trained on BGR images with tensorpack's layers.
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
AVERAGE = "/ExponentialMovingAverage"
BOOKKEEPING = ("EMA", "ExponentialMovingAverage", "Momentum", "RMSProp", "RMSProp_1", "global_step", "learning_rate")
"""How the names of variables end that belong to training, where they belong to nothing else."""

Values = npt.NDArray[Any]
Variables = Mapping[str, Values]


def _kernel(value: Values) -> Values:
    """Height, width, inputs, outputs: outputs and inputs come first."""
    return value.transpose(3, 2, 0, 1)


def _kernel_of_bgr(value: Values) -> Values:
    """The same of a network whose first channel is blue."""
    return _kernel(value)[:, ::-1]


def _depthwise(value: Values) -> Values:
    return value.transpose(2, 3, 0, 1)


def _flat(value: Values) -> Values:
    return value.reshape(-1)


def _single(value: Values) -> Values:
    return value.reshape(())


class Place(NamedTuple):
    """Where a variable goes, and what is done with its axes."""

    key: str
    variable: str
    arranged: Callable[[Values], Values]


def state_of(variables: Variables, module: nn.Module, path: Path) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The state_dict of timm's `module`, an EfficientNet or a ResNet, and notes on what was left out.

    Where a variable has a moving average, as those of EfficientNet-L1-enhanced, that is taken. Raises ModelError where
    a variable is missing, has another shape, or is none of the network's.
    """
    places = list(_resnet(module) if hasattr(module, "layer1") else _efficientnet(module, _scope(variables, path)))
    wanted, state = module.state_dict(), {}
    averaged = False
    for key, name, arranged in places:
        if name not in variables:
            raise ModelError(f"{path} has no variable {name}.", "Is it the checkpoint of this model?")
        averaged |= name + AVERAGE in variables
        value = variables.get(name + AVERAGE, variables[name])
        try:
            entry = arranged(value)
        except ValueError:
            entry = value
        if entry.shape != tuple(wanted[key].shape):
            raise ModelError(
                f"{path}: {name} has shape {value.shape}, which does not give {tuple(wanted[key].shape)}.",
                "Is it the checkpoint of this model?",
            )
        state[key] = torch.tensor(np.ascontiguousarray(entry, dtype=np.float32)).reshape(entry.shape)
    left = set(variables) - {place.variable for place in places}
    training = {name for name in left if name.rpartition("/")[2] in BOOKKEEPING}
    if others := sorted(left - training):
        raise ModelError(f"{path} has {len(others)} variables of no known part, such as {others[0]}.")
    notes = ["the moving averages of the weights"] if averaged else []
    return state, (*notes, *([f"{len(training)} variables of training left out"] if training else []))


def _scope(variables: Variables, path: Path) -> str:
    scopes = [name.removesuffix(STEM) for name in variables if name.endswith(STEM)]
    if len(scopes) != 1:
        raise ModelError(f"{path} holds no EfficientNet of SAT: no variable ends with {STEM}.", "Is it another model?")
    return scopes[0]


def _resnet(module: nn.Module) -> Iterator[Place]:
    """A batch norm stands within the scope of its convolution, and so does what an activation has learned."""
    yield Place("conv1.weight", "conv0/W", _kernel_of_bgr)
    yield from _norm("bn1", "conv0/bn", mean="mean/EMA", variance="variance/EMA")
    yield from _learned(module, "act1", "conv0")
    for group in range(4):
        for number, block in enumerate(getattr(module, f"layer{group + 1}")):
            key, scope = f"layer{group + 1}.{number}", f"group{group}/block{number}"
            layers = [(f"conv{place}", f"bn{place}", f"conv{place}") for place in (1, 2, 3)]
            if block.downsample is not None:
                layers.append(("downsample.0", "downsample.1", "convshortcut"))
            for convolution, norm, name in layers:
                yield Place(f"{key}.{convolution}.weight", f"{scope}/{name}/W", _kernel)
                yield from _norm(f"{key}.{norm}", f"{scope}/{name}/bn", mean="mean/EMA", variance="variance/EMA")
            for activation, within in (("act1", f"{scope}/conv1"), ("act2", f"{scope}/conv2"), ("act3", scope)):
                yield from _learned(module, f"{key}.{activation}", within)
    yield Place("fc.weight", "linear/W", np.transpose)
    yield Place("fc.bias", "linear/b", _flat)


def _learned(module: nn.Module, key: str, scope: str) -> Iterator[Place]:
    """SmoothReLU has one parameter, others none."""
    for name, _ in module.get_submodule(key).named_parameters():
        yield Place(f"{key}.{name}", f"{scope}/smoothrelu_beta", _single)


def _efficientnet(module: nn.Module, scope: str) -> Iterator[Place]:
    yield Place("conv_stem.weight", f"{scope}/stem/conv2d/kernel", _kernel)
    yield from _norm("bn1", f"{scope}/stem/tpu_batch_normalization")
    blocks = [
        (f"blocks.{stage}.{place}", block)
        for stage, of in enumerate(module.blocks)  # type: ignore[arg-type]
        for place, block in enumerate(of)
    ]
    for number, (key, block) in enumerate(blocks):
        yield from _block(key, f"{scope}/blocks_{number}", expands=hasattr(block, "conv_pwl"))
    yield Place("conv_head.weight", f"{scope}/head/conv2d/kernel", _kernel)
    yield from _norm("bn2", f"{scope}/head/tpu_batch_normalization")
    yield Place("classifier.weight", f"{scope}/head/dense/kernel", np.transpose)
    yield Place("classifier.bias", f"{scope}/head/dense/bias", _flat)


def _block(key: str, scope: str, *, expands: bool) -> Iterator[Place]:
    """A block's layers are numbered as they come; the first stage's have none that expands."""
    ones = ["conv_pw", "conv_pwl"] if expands else ["conv_pw"]
    for number, name in enumerate(ones):
        yield Place(f"{key}.{name}.weight", f"{scope}/conv2d{_suffix(number)}/kernel", _kernel)
    yield Place(f"{key}.conv_dw.weight", f"{scope}/depthwise_conv2d/depthwise_kernel", _depthwise)
    for number in range(len(ones) + 1):
        yield from _norm(f"{key}.bn{number + 1}", f"{scope}/tpu_batch_normalization{_suffix(number)}")
    for number, name in enumerate(("conv_reduce", "conv_expand")):
        yield Place(f"{key}.se.{name}.weight", f"{scope}/se/conv2d{_suffix(number)}/kernel", _kernel)
        yield Place(f"{key}.se.{name}.bias", f"{scope}/se/conv2d{_suffix(number)}/bias", _flat)


def _norm(key: str, scope: str, mean: str = "moving_mean", variance: str = "moving_variance") -> Iterator[Place]:
    names = {"weight": "gamma", "bias": "beta", "running_mean": mean, "running_var": variance}
    for entry, variable in names.items():
        yield Place(f"{key}.{entry}", f"{scope}/{variable}", _flat)


def _suffix(number: int) -> str:
    return f"_{number}" if number else ""
