"""What identifies a model: its weights, its structure, and the user's source code behind it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from robustbench_eff.core.source_code import user_files

_INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64, 16: torch.int64}
"""Integer type that the bits of a number are read as, by the number's size in bytes."""


def model_digest(model: nn.Module, weights: str, source: str, code: Path | None = None) -> str:
    """Return a hash of a model's weights, structure, plain attributes and the user's source files behind it.

    Installed packages are not hashed, because the manifest of each run records their versions.

    Args:
        model: Network to identify.
        weights: Hash of its weights, from `weights_digest`.
        source: Where the model came from, such as `timm:resnet50`.
        code: The user's file that built the model, if there is one.
    """
    digest = hashlib.blake2b(f"{source}\n{model!r}\n{weights}\n".encode(), digest_size=16)
    for name, module in model.named_modules():
        plain = {key: value for key, value in sorted(vars(module).items()) if _is_plain(key, value)}
        digest.update(f"{name} {type(module).__qualname__} {plain!r}\n".encode())
    for path in user_files(map(type, model.modules()), *([] if code is None else [code])):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def weights_digest(model: nn.Module) -> str:
    """Return a hash of all parameters and buffers.

    Args:
        model: Network whose `state_dict` is hashed.
    """
    digest = hashlib.blake2b(digest_size=16)
    for name, value in sorted(model.state_dict().items()):
        if isinstance(value, Tensor):
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            digest.update(_stored(value).cpu().flatten().view(torch.uint8).numpy().data)
        else:
            digest.update(f"{name} {value!r}".encode())
    return digest.hexdigest()


def weights_sums(model: nn.Module) -> list[int]:
    """Return the sum of the bits of every parameter and buffer, a cheap check that almost any change alters.

    The sums are computed on the device that holds the tensors. Packed parameters of integer layers are included.

    Args:
        model: Network whose `state_dict` is summed.
    """
    tensors = [_stored(value) for _, value in sorted(model.state_dict().items()) for value in _tensors(value)]
    sums = [value.flatten().view(_INTEGERS[value.element_size()]).sum(dtype=torch.int64) for value in tensors]
    return [int(total) for total in sums]


def _tensors(value: Any) -> Iterator[Tensor]:
    """The tensors of an entry of a state_dict, which is a tuple for packed parameters."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _tensors(item)


def _stored(value: Tensor) -> Tensor:
    """The numbers of a tensor as they are stored, contiguous; of a quantised one its integers."""
    return (value.int_repr() if value.is_quantized else value).detach().contiguous()


def _is_plain(key: str, value: Any) -> bool:
    """True for numbers and strings that a module stores beside its tensors, such as a slope or a mode."""
    if isinstance(value, (tuple, list)):
        return not key.startswith("_") and all(_is_plain(key, item) for item in value)
    return not key.startswith("_") and key != "training" and isinstance(value, (bool, int, float, str, type(None)))
