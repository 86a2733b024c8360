"""The names that a network has for its outputs, as libraries store them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import nn

_PLACEHOLDER = re.compile(r"(?i)(label|class|output)?[ _-]?\d+")
"""Names that say nothing but a number, such as the `LABEL_0` of a Hugging Face configuration without names."""


def class_names_of(network: nn.Module, outputs: int) -> tuple[str, ...]:
    """Return the name of each output; empty where the network does not say, or has placeholders.

    Looks in the network and in the modules within it for the configuration of Hugging Face transformers (`id2label`),
    that of timm (`label_names`), and the attributes `class_names`, `classes` and `class_to_idx`.

    Args:
        network: Any network.
        outputs: Number of its outputs; lists of another length are names of something else.
    """
    for module in network.modules():
        for find in _FINDERS:
            if names := plain_names(find(module), outputs):
                return names
    return ()


def plain_names(names: Any, outputs: int) -> tuple[str, ...]:
    """Return names in the order of the outputs; empty for placeholders, or another number of them.

    Args:
        names: What a library stores: a list, or a dictionary from numbers.
        outputs: Number of outputs.
    """
    found = _plain(names)
    return found if len(found) == outputs and not all(map(_PLACEHOLDER.fullmatch, found)) else ()


def _hugging_face(module: nn.Module) -> Any:
    return getattr(getattr(module, "config", None), "id2label", None)


def _timm(module: nn.Module) -> Any:
    config = getattr(module, "pretrained_cfg", None)
    return config.get("label_names") if isinstance(config, Mapping) else getattr(config, "label_names", None)


def _by_name(module: nn.Module) -> Any:
    index_of = getattr(module, "class_to_idx", None)
    return {index: name for name, index in index_of.items()} if isinstance(index_of, Mapping) else None


_FINDERS: tuple[Callable[[nn.Module], Any], ...] = (
    _hugging_face,
    _timm,
    lambda module: getattr(module, "class_names", None),
    lambda module: getattr(module, "classes", None),
    _by_name,
)


def _plain(names: Any) -> tuple[str, ...]:
    """Return names in their order; empty for anything else than names numbered from 0."""
    if isinstance(names, Mapping):
        numbered = {int(index): name for index, name in names.items() if str(index).isdecimal()}
        names = [numbered[index] for index in sorted(numbered)] if set(numbered) == set(range(len(names))) else ()
    if not isinstance(names, Sequence) or isinstance(names, str) or not all(isinstance(name, str) for name in names):
        return ()
    return tuple(names)
