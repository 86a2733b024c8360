"""Files that hold a whole network: read with limits, and made a classifier once its answers to noise are known."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from robustbench_eff.core.errors import Missing, ModelError, UsageError, reason
from robustbench_eff.core.outside_archives import UNREADABLE, unpacking_stream
from robustbench_eff.core.outside_files import PART_BYTES, check_file
from robustbench_eff.core.preprocessing import Preprocessing, size_text
from robustbench_eff.core.probabilities import is_probability
from robustbench_eff.core.rng import RandomStreams

from .black_box import BlackBox
from .outputs import grey
from .request import IMAGENET, WITH_BACKGROUND, LoadedModule, ModelRequest, label_space_of
from .sources.user_module import plain_preprocessing

MAX_MODEL_BYTES = 2**31 - 1
"""Largest network that is read, in bytes: the largest message of protocol buffers."""


def missing_file(target: str, request: ModelRequest) -> list[Missing]:
    """Return the file if it does not exist.

    Args:
        target: Path of the file; it may begin with `~`.
        request: The user's options.

    Raises:
        ModelError: It exists, and is no file: a folder, a named pipe, a device.
        UsageError: There are options for a network that is built from code and weights.
    """
    request.refuse_model_args("its file is the whole network")
    if request.weights is not None:
        raise UsageError(f"{request.name} takes no --weights: its file holds them.", "Leave it out.")
    file = Path(target).expanduser()
    if target and file.exists():
        check_file(file, ModelError, limit=MAX_MODEL_BYTES)
        return []
    prefix = request.name.partition(":")[0]
    return [Missing(f"model file {target}", "on this machine", f"--model {prefix}:FILE", "")]


def read_model(file: Path) -> bytes:
    """Return the content of a model file, unpacked if it is compressed by gzip, bzip2 or xz.

    Args:
        file: The file.

    Raises:
        ModelError: It cannot be read, is damaged, or holds more than `MAX_MODEL_BYTES`.
    """
    check_file(file, ModelError, limit=MAX_MODEL_BYTES)
    try:
        with unpacking_stream(file) as stream:
            content = bytearray()
            while len(content) <= MAX_MODEL_BYTES and (part := stream.read(PART_BYTES)):
                content += part
    except UNREADABLE as error:
        raise ModelError(f"{file} cannot be read: {reason(error)}.", "Is the file complete?") from error
    if len(content) > MAX_MODEL_BYTES:
        raise ModelError(f"{file} unpacks to more than 2 GiB.", "Such a large network is not read.")
    return bytes(content)


def source_of(prefix: str, content: bytes) -> str:
    """Return a source as manifests write it: `onnx:sha256:` and the beginning of the hash that `sha256sum` prints.

    Args:
        prefix: Prefix of the model source.
        content: The network's bytes, unpacked.
    """
    return f"{prefix}:sha256:{hashlib.sha256(content).hexdigest()[:16]}"


def preprocessing_for(request: ModelRequest, size: tuple[int, int] | None, channels: int) -> Preprocessing:
    """Return the preprocessing of a network whose file states the size of its images.

    Args:
        request: The user's options.
        size: Height and width that the file states; None if it takes any.
        channels: Number of channels that the network takes, 1 or 3.

    Raises:
        ModelError: The user gives another size.
    """
    if size is not None and request.input_size is None:
        request = dataclasses.replace(request, input_size=size)
    preprocessing = plain_preprocessing(request)
    if size is not None and size != preprocessing.geometry.shape:
        other = size_text(preprocessing.geometry.size)
        raise ModelError(
            f"{request.name} takes images of {size_text(size)} pixels alone, not {other}.",
            "Leave out --input-size: the file states it.",
        )
    uniform = len({*preprocessing.mean}) == len({*preprocessing.std}) == 1
    return grey(preprocessing) if channels == 1 and uniform else preprocessing


def finished(
    network: BlackBox, preprocessing: Preprocessing, request: ModelRequest, source: str, notes: tuple[str, ...]
) -> LoadedModule:
    """Return a network of another runtime, once its answers to noise show how they become logits.

    A first output for the background is left out of 1,001, and probabilities become their logarithms, which are logits
    with the same softmax.

    Args:
        network: The network, whose answers are taken as they are.
        preprocessing: Geometry and normalization of its images.
        request: The user's options.
        source: How manifests name it.
        notes: What was read, or assumed, about its images.

    Raises:
        ModelError: It fails on images of noise.
    """
    answers = _answers_to_noise(network, preprocessing, request.name)
    found = network.answers
    if answers.ndim == 2 and answers.shape[1] == WITH_BACKGROUND and request.num_classes in (None, IMAGENET):
        found = dataclasses.replace(found, without_first=True)
        notes = (*notes, "the first of its 1,001 outputs, TensorFlow's class of the background, is left out")
    if found.least_probability or is_probability(answers):
        least = found.least_probability or float(np.finfo(np.float32).tiny)
        found = dataclasses.replace(found, least_probability=least)
        notes = (*notes, f"it returns probabilities: their logarithms are the logits, at least ln({least:.3g})")
    if request.num_classes is None and answers.ndim == 2:
        space = label_space_of(answers.shape[1] - found.without_first)
    else:
        space = request.label_space("custom")
    return LoadedModule(
        module=BlackBox(network.runtime, network.images, found),
        preprocessing=preprocessing,
        source=source,
        label_space=space,
        notes=notes,
    )


def _answers_to_noise(network: BlackBox, preprocessing: Preprocessing, name: str) -> Tensor:
    """The first output for three images of noise, whole numbers as what they stand for."""
    noise = RandomStreams.of(0, range(3), torch.device("cpu")).uniform(preprocessing.shape, stream="probe")
    mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (preprocessing.mean, preprocessing.std))
    try:
        output = network((noise - mean) / std)
    except ModelError as error:
        raise ModelError(f"{name}: {error.message}", error.hint) from error
    answers: Tensor = output[0] if isinstance(output, tuple) else output
    least = network.answers.least_probability
    return answers.exp() if least else answers
