"""The logits in the output of a network: in containers of common libraries, other types and shapes, or a single one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .errors import ModelError
from .types import Logits

KEYS = ("logits", "out", "output")
"""Entries of a dict that hold the logits, in order of preference."""


class ReadOutput(NamedTuple):
    """Logits, and how they were found."""

    logits: Logits
    notes: tuple[str, ...]
    """What was done to the output to read it; empty for a float32 tensor of shape (batch, classes)."""
    ambiguous: str
    """Says which of several tensors was taken, where others could be the logits too; else empty."""
    is_single: bool
    """Whether there was one value per image, which became two logits."""


def logits_of(output: Any, samples: int | None = None) -> Logits:
    """Return the logits in an output of a network, shape (batch, classes), float32; differentiable.

    Args:
        output: A tensor; an object with `.logits`; a dict with `logits`, `out`, `output` or a single tensor; a tuple or
            list, whose first tensor counts. Trailing dimensions of size 1 are removed. One value z per image becomes
            the logits [0, z] of two classes.
        samples: Number of images, which tells an output without a batch dimension; None if unknown.

    Raises:
        ModelError: There are no float logits in it.
    """
    if isinstance(output, Tensor) and output.ndim == 2 and output.dtype == torch.float32 and output.shape[1] != 1:
        return output
    return read_output(output, samples).logits


def read_output(output: Any, samples: int | None = None) -> ReadOutput:
    """Return the logits in an output of a network, and how they were found.

    Args:
        output: As for `logits_of`.
        samples: As for `logits_of`.

    Raises:
        ModelError: There are no float logits in it.
    """
    tensor, note, ambiguous = _tensor_in(output)
    notes = [note] if note else []
    if not tensor.dtype.is_floating_point:
        raise ModelError(
            f"The network must return float logits, one per class, and returned {tensor.dtype}, such as class numbers.",
            "Return the scores from before the argmax.",
        )
    if tensor.dtype != torch.float32:
        notes.append(f"its {_short(tensor.dtype)} logits are converted to float32")
        tensor = tensor.float()
    if samples == 1 and tensor.ndim <= 1 and tensor.shape != (1,):
        tensor = tensor.reshape(1, -1)  # the network removed the batch dimension of a single image
    if tensor.ndim == 1:
        tensor = tensor[:, None]
    elif tensor.ndim > 2 and set(tensor.shape[2:]) == {1}:
        notes.append(f"its outputs of shape (N, {', '.join(map(str, tensor.shape[1:]))}) are squeezed to (N, K)")
        tensor = tensor.flatten(1)
    if tensor.ndim != 2 or (samples is not None and len(tensor) != samples):
        number = "" if samples is None else f" for N = {samples}"
        raise ModelError(f"The network must return logits of shape (N, K), got {tuple(tensor.shape)}{number}.")
    is_single = tensor.shape[1] == 1
    if is_single:
        notes.append("its single output z is the logit of class 1 against class 0: logits [0, z]")
        tensor = torch.cat((torch.zeros_like(tensor), tensor), 1)
    return ReadOutput(tensor, tuple(notes), ambiguous, is_single)


class _Found(NamedTuple):
    tensor: Tensor
    note: str = ""
    ambiguous: str = ""


def _tensor_in(output: Any) -> _Found:
    """The tensor of an output that holds the logits."""
    if isinstance(output, Tensor):
        return _Found(output)
    if isinstance(found := getattr(output, "logits", None), Tensor):
        return _Found(found, f"logits are .logits of its {type(output).__name__}")
    if isinstance(output, Mapping):
        return _in_mapping(output)
    if isinstance(output, list | tuple):
        tensors = [item for item in output if isinstance(item, Tensor)]
        if tensors:
            note = f"logits are the first tensor of its {type(output).__name__} of {len(output)}"
            others = [f"(N, {item.shape[1]})" for item in tensors[1:] if item.ndim == 2 and item.is_floating_point()]
            return _Found(tensors[0], note, f"{note}; others have shape {', '.join(others)}" if others else "")
    raise ModelError(
        f"The network must return logits of shape (N, K), got {_described(output)}.",
        "Return a tensor, an object with .logits, a dict with the key 'logits', or a tuple that begins with them.",
    )


def _in_mapping(output: Mapping[Any, Any]) -> _Found:
    tensors = {key: value for key, value in output.items() if isinstance(value, Tensor)}
    key = next((key for key in KEYS if key in tensors), None)
    if key is None and len(tensors) == 1:
        key = next(iter(tensors))
    if key is not None:
        return _Found(tensors[key], f"logits are the entry {key!r} of its {type(output).__name__}")
    raise ModelError(
        f"The network returned a {type(output).__name__} with {', '.join(map(repr, output)) or 'nothing'}, and none of "
        f"{', '.join(KEYS)}.",
        "Return the logits, or name them 'logits'.",
    )


def _described(output: Any) -> str:
    if isinstance(output, list | tuple):
        return f"a {type(output).__name__} without tensors"
    return type(output).__name__


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
