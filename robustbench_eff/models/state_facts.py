"""What the tensors of a file say about the network that they belong to."""

from __future__ import annotations

import re

from torch import Tensor

from .weights import PREFIXES, StateDict

_HEAD = re.compile(
    r"(fc|heads?|classif\w*|linear|logits|last_linear|last_layer|out|output|output_layer|proj_head)_?\d*"
    r"(\.(\d+|fc\d*|head|l|linear|out_proj|flatten))*\.weight"
)
"""Names of the weights of last layers."""
RGB, GREY = 3, 1


def unwrapped(state: StateDict) -> StateDict:
    """Return a state_dict without the prefixes that wrappers add to all names.

    Args:
        state: Tensors by name.
    """
    while state and (prefix := next((item for item in PREFIXES if all(key.startswith(item) for key in state)), "")):
        state = {key.removeprefix(prefix): value for key, value in state.items()}
    return state


def outputs_of(state: StateDict) -> int | None:
    """Return the number of outputs of the last layer; None if it cannot be told.

    Args:
        state: Tensors by name.
    """
    layers = {key: value for key, value in unwrapped(state).items() if key.endswith("weight") and _is_linear(value)}
    heads = sorted((key for key in layers if _HEAD.fullmatch(key)), key=_natural)
    if heads:
        return int(layers[heads[-1]].shape[0])
    is_sorted = [*state] == sorted(state)  # safetensors keeps no order
    return int(list(layers.values())[-1].shape[0]) if layers and not is_sorted else None


def channels_of(state: StateDict) -> int | None:
    """Return the number of channels of the images, by the first convolution; None if it cannot be told.

    Args:
        state: Tensors by name.
    """
    convolutions = [value for value in state.values() if value.ndim == 4]
    if any(value.shape[1] == RGB for value in convolutions):
        return RGB
    is_first = bool(convolutions) and convolutions[0].shape[1] == GREY
    return GREY if is_first and [*state] != sorted(state) else None


def _is_linear(value: Tensor) -> bool:
    return value.ndim == 2 or (value.ndim == 4 and value.shape[2:] == (1, 1))


def _natural(key: str) -> list[tuple[int, str]]:
    """A key that sorts `classifier.10` behind `classifier.9`."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", key)]
