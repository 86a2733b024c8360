"""How a network is called: found out on images of noise, and made to return float32 logits where it does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from robustbench_eff.core.errors import ModelError, reason
from robustbench_eff.core.outputs import ReadOutput, logits_of, read_output
from robustbench_eff.core.preprocessing import Preprocessing
from robustbench_eff.core.probabilities import RETURN_LOGITS, RETURNED_PROBABILITIES, is_probability
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Images, Logits

from .exported import failure_hint

INPUT_TYPES = (torch.float16, torch.bfloat16, torch.float64)
"""Types of networks whose images are converted to the same type."""
FAR_AWAY = (100.0, -100.0)
"""Factors of the noise for which a logit leaves [0, 1], and a probability cannot."""
BOUNDED = "all outputs lie in [0, 1]: attacks look too weak if they are probabilities"
"""Flag of a network that seems to end with a sigmoid for each class."""


class CallableNetwork(NamedTuple):
    """A network that takes normalized float32 images and returns float32 logits, and what a reader must know."""

    network: nn.Module
    """The module itself, or a `LogitsOnly` around it."""
    preprocessing: Preprocessing
    """The given preprocessing, reduced to one channel if the network takes one."""
    num_classes: int
    notes: tuple[str, ...]
    """What is done to the images and to the outputs."""
    flags: tuple[str, ...]
    """What may be wrong about it."""


class LogitsOnly(nn.Module):
    """A network whose images are converted to its own type, and whose output is read as float32 logits."""

    def __init__(self, model: nn.Module) -> None:
        """Wrap a network.

        Args:
            model: Network whose output `logits_of` can read.
        """
        super().__init__()
        self.model = model
        self.training = getattr(model, "training", False)

    def forward(self, images: Images) -> Logits:
        """Return the logits, shape (batch, classes), float32.

        Args:
            images: Normalized images, float32.
        """
        return logits_of(self.model(images.to(input_type(self.model))), len(images))


def prepare_network(module: nn.Module, preprocessing: Preprocessing, name: str) -> CallableNetwork:
    """Find out how a network is called, on three images of noise and on one of them.

    A network that fails on three channels and works on one takes one channel.

    Args:
        module: Network in eval mode.
        preprocessing: Its geometry and normalization.
        name: Name of the network, for messages.

    Raises:
        ModelError: It fails, or does not return finite float logits of at least two classes, or returns probabilities
            or class numbers.
    """
    output, preprocessing, notes = _answer(module, preprocessing, name)
    single = _call(module, preprocessing, 1, name)
    try:
        read, read_single = read_output(output, 3), read_output(single, 1)
    except ModelError as error:
        raise ModelError(f"{name}: {error.message}", error.hint) from error
    bounded = _in_unit_interval(read.logits) and _is_bounded(module, preprocessing, name)
    _check_values(read, bounded, name)
    if read.logits.shape[1] != read_single.logits.shape[1]:
        widths = f"{read.logits.shape[1]} logits for an image in a batch of 3 and {read_single.logits.shape[1]} alone"
        raise ModelError(f"{name} returns {widths}.", "Its forward must not depend on the size of the batch.")
    dtype = input_type(module)
    if dtype != torch.float32:
        notes.append(f"a {str(dtype).removeprefix('torch.')} network: images are converted to that type")
    notes.extend(read.notes)
    as_it_is = dtype == torch.float32 and read.logits is output and read_single.logits is single
    return CallableNetwork(
        network=module if as_it_is else LogitsOnly(module),
        preprocessing=preprocessing,
        num_classes=read.logits.shape[1],
        notes=tuple(notes),
        flags=(*([read.ambiguous] if read.ambiguous else []), *([BOUNDED] if bounded else [])),
    )


def input_type(module: nn.Module) -> torch.dtype:
    """Return the type of a network's images: that of its first floating-point parameter if it is in `INPUT_TYPES`.

    Args:
        module: Any network.
    """
    dtype = next((value.dtype for value in module.parameters() if value.dtype.is_floating_point), torch.float32)
    return dtype if dtype in INPUT_TYPES else torch.float32


class _Answer(NamedTuple):
    output: Any
    preprocessing: Preprocessing
    notes: list[str]


def _answer(module: nn.Module, preprocessing: Preprocessing, name: str) -> _Answer:
    """The output for three images; with one channel if the network fails on three."""
    try:
        return _Answer(_call(module, preprocessing, 3, name), preprocessing, [])
    except ModelError as three:
        if preprocessing.channels == 1:
            raise
        try:
            output = _call(module, grey(preprocessing), 3, name)
        except ModelError as one:
            first = next((part for part in module.modules() if isinstance(part, nn.Conv2d)), None)
            raise (one if first is not None and first.in_channels == 1 else three) from None
    if len(set(preprocessing.mean)) > 1 or len(set(preprocessing.std)) > 1:
        raise ModelError(
            f"{name} takes one channel, and mean and std have a value for each of three.",
            "Pass one value: --mean 0.5 --std 0.5, or mean=[0.5], std=[0.5] in Python.",
        )
    note = "it takes one channel: it gets the brightness of every pixel, and attacks change that alone"
    return _Answer(output, grey(preprocessing), [note])


def grey(preprocessing: Preprocessing) -> Preprocessing:
    """Return the preprocessing of a network that takes one channel: the first value of `mean` and of `std`.

    Args:
        preprocessing: Preprocessing of three channels.
    """
    return replace(preprocessing, mean=preprocessing.mean[:1], std=preprocessing.std[:1])


def _call(module: nn.Module, preprocessing: Preprocessing, samples: int, name: str, factor: float = 1.0) -> Any:
    """The output for images of noise, times a factor."""
    shape = preprocessing.shape
    device = device_of(module)
    images = RandomStreams.of(0, range(samples), device).uniform(shape, stream="probe") * factor
    mean, std = (
        torch.tensor(values, device=device).view(1, -1, 1, 1) for values in (preprocessing.mean, preprocessing.std)
    )
    try:
        with torch.no_grad():
            return module(((images - mean) / std).to(input_type(module)))
    except Exception as error:
        raise ModelError(
            f"{name} fails on a batch of shape {tuple(images.shape)}: {reason(error)}",
            failure_hint(module, device),
        ) from error


def _is_bounded(module: nn.Module, preprocessing: Preprocessing, name: str) -> bool:
    """Whether all outputs stay in [0, 1] on images far outside of it; NaN counts as inside."""
    for factor in FAR_AWAY:
        logits = logits_of(_call(module, preprocessing, 3, name, factor), 3)
        if bool(((logits < 0) | (logits > 1)).any()):
            return False
    return True


def _check_values(read: ReadOutput, bounded: bool, name: str) -> None:
    """Raise ModelError for logits that are not finite, and for outputs that are not logits."""
    logits = read.logits
    if not logits.isfinite().all():
        raise ModelError(
            f"{name} returns NaN or infinite logits on images of noise.", "Check the weights and the normalisation."
        )
    if read.is_single and bounded:
        raise ModelError(
            f"{name} returns one value in [0, 1] per image: a probability, and not a logit.",
            "Return the value from before the sigmoid. If it is a logit, return two: [0, z].",
        )
    if read.is_single and bool((logits[:, 1] == logits[:, 1].round()).all()):
        raise ModelError(
            f"{name} returns one whole number per image, such as a class number, and not a logit.",
            "Return the scores from before the argmax or the threshold.",
        )
    if is_probability(logits):
        raise ModelError(f"{name} {RETURNED_PROBABILITIES}", RETURN_LOGITS)


def _in_unit_interval(logits: Logits) -> bool:
    return bool(logits.min() >= 0 and logits.max() <= 1)


def device_of(module: nn.Module) -> torch.device:
    """Return the device of a network's first tensor, the CPU if it has none.

    Args:
        module: Any network.
    """
    return next(
        (value.device for value in module.state_dict().values() if isinstance(value, Tensor)), torch.device("cpu")
    )
