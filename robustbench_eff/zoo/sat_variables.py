"""Smooth adversarial training's TensorFlow variables as the entries of timm's EfficientNets.

Source: names and shapes of cihangxie/SmoothAdversarialTraining 988c080, whose batch norms have five dimensions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from robustbench_eff.errors import ModelError

NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
STEM = "/stem/conv2d/kernel"
BOOKKEEPING = ("Momentum", "RMSProp", "RMSProp_1", "ExponentialMovingAverage", "global_step")
"""How the names of variables end that belong to training."""

Variables = Mapping[str, npt.NDArray[Any]]


def state_of(variables: Variables, module: nn.Module, path: Path) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The state_dict of timm's `module`, an EfficientNet, and notes on what was left out.

    Raises ModelError where a variable is missing, has another shape, or is none of the network's.
    """
    scopes = [name.removesuffix(STEM) for name in variables if name.endswith(STEM)]
    if len(scopes) != 1:
        raise ModelError(f"{path} holds no EfficientNet of SAT: no variable ends with {STEM}.", "Is it another model?")
    wanted, state = module.state_dict(), {}
    names = {key: (f"{scopes[0]}/{name}", axes) for key, name, axes in _names(module)}
    for key, (name, axes) in names.items():
        if name not in variables:
            raise ModelError(f"{path} has no variable {name}.", "Is it the checkpoint of this size?")
        value = variables[name]
        value = value.transpose(axes) if axes else value.reshape(-1)
        if value.shape != tuple(wanted[key].shape):
            raise ModelError(
                f"{path}: {name} has shape {variables[name].shape}, which does not give {tuple(wanted[key].shape)}.",
                "Is it the checkpoint of this size?",
            )
        state[key] = torch.tensor(np.ascontiguousarray(value, dtype=np.float32))
    taken = {name for name, _ in names.values()}
    training = [name for name in variables if name.rpartition("/")[2] in BOOKKEEPING]
    others = sorted(set(variables) - taken - set(training))
    if others:
        raise ModelError(f"{path} has {len(others)} variables of no known part, such as {others[0]}.")
    return state, (f"{len(training)} variables of training left out",) if training else ()


def _names(module: nn.Module) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """Entry of the state_dict, variable below its scope, and the order of axes; none where all become one."""
    yield from _convolution("conv_stem", "stem/conv2d")
    yield from _norm("bn1", "stem/tpu_batch_normalization")
    blocks = [
        (f"blocks.{stage}.{place}", block)
        for stage, of in enumerate(module.blocks)  # type: ignore[arg-type]
        for place, block in enumerate(of)
    ]
    for number, (key, block) in enumerate(blocks):
        yield from _block(key, f"blocks_{number}", expands=hasattr(block, "conv_pwl"))
    yield from _convolution("conv_head", "head/conv2d")
    yield from _norm("bn2", "head/tpu_batch_normalization")
    yield "classifier.weight", "head/dense/kernel", (1, 0)
    yield "classifier.bias", "head/dense/bias", (0,)


def _block(key: str, scope: str, *, expands: bool) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """A block's layers are numbered as they come; the first stage's have none that expands."""
    ones = ["conv_pw", "conv_pwl"] if expands else ["conv_pw"]
    for number, name in enumerate(ones):
        yield from _convolution(f"{key}.{name}", f"{scope}/conv2d{_suffix(number)}")
    yield f"{key}.conv_dw.weight", f"{scope}/depthwise_conv2d/depthwise_kernel", (2, 3, 0, 1)
    for number in range(len(ones) + 1):
        yield from _norm(f"{key}.bn{number + 1}", f"{scope}/tpu_batch_normalization{_suffix(number)}")
    for number, name in enumerate(("conv_reduce", "conv_expand")):
        yield from _convolution(f"{key}.se.{name}", f"{scope}/se/conv2d{_suffix(number)}")
        yield f"{key}.se.{name}.bias", f"{scope}/se/conv2d{_suffix(number)}/bias", (0,)


def _convolution(key: str, scope: str) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    yield f"{key}.weight", f"{scope}/kernel", (3, 2, 0, 1)


def _norm(key: str, scope: str) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    for entry, variable in NORM.items():
        yield f"{key}.{entry}", f"{scope}/{variable}", ()


def _suffix(number: int) -> str:
    return f"_{number}" if number else ""
