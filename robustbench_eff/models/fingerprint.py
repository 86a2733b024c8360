"""What identifies a model: everything reachable from its module, and its answers to a fixed set of images."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, fx, nn

from robustbench_eff.core.object_digest import ObjectDigest, object_digest

_INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64, 16: torch.int64}
"""Integer type that the bits of a number are read as, by the number's size in bytes."""
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
"""Attributes of a module whose keys are numbers that torch counts up, so that only their values identify a model."""
WITHOUT_INFLUENCE = {*vars(nn.Module()), "pretrained_cfg", "default_cfg", "_version"}
"""Attributes of every module that change no answer in eval mode, but for tensors, sub-modules and hooks; and where timm
found the weights."""


def model_digest(module: nn.Module) -> ObjectDigest:
    """Return the digest of everything that can be reached from a network: tensors, attributes, code, sub-modules.

    Args:
        module: The network.
    """
    return object_digest(module, _expand)


def identity(source: str, before: ObjectDigest, after: ObjectDigest) -> str:
    """Return the hash that identifies a model, 32 hexadecimal digits.

    What its forward itself rewrites, such as a count of its calls, is left out.

    Args:
        source: Where the model came from, such as `timm:resnet50`.
        before: Its digest before it was first asked.
        after: Its digest after that.
    """
    content = f"{source}\n{before.digest(without=before.changed(after))}"
    return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()


def _expand(value: Any) -> Mapping[str, Any] | None:
    """What decides the answers of a module, by name; None for any other object."""
    if isinstance(value, torch.jit.ScriptModule):
        return _archive(value)
    if isinstance(value, torch.jit.ScriptFunction):
        return {"code": _unmangled(str(value.code).encode())}
    if any(kind.__qualname__ == "OptimizedModule" for kind in type(value).__mro__):  # torch._dynamo takes 1 s to import
        return {"compiled": value._orig_mod}
    if not isinstance(value, nn.Module):
        return None
    parts: dict[str, Any] = {}
    for name, part in vars(value).items():
        if name in ("_parameters", "_buffers", "_modules"):
            parts |= {key: item for key, item in part.items() if item is not None}
        elif name in HOOKS:
            parts |= {name: [*part.values()]} if part else {}
        elif name not in WITHOUT_INFLUENCE and not isinstance(part, fx.Graph | fx.graph.CodeGen):
            parts[name] = part
    if isinstance(value, fx.GraphModule):  # its class is made for it, and its forward is generated from this text
        parts = {name: part for name, part in parts.items() if name not in ("meta", "_code", "_guards_fn")} | {
            "code": value.code
        }
    return parts


def _archive(module: torch.jit.ScriptModule) -> dict[str, Any]:
    """The files that TorchScript would save: code, constants, attributes and weights."""
    with zipfile.ZipFile(io.BytesIO(module.save_to_buffer())) as archive:
        files = [(name.partition("/")[2], archive.read(name)) for name in archive.namelist()]
    left_out = (".debug_pkl", "version", "byteorder", ".data/serialization_id")
    kept = [file for file in files if not file[0].endswith(left_out) and not file[0].startswith("traced_inputs")]
    return {"files": sorted((_unmangled(name.encode()), _unmangled(content)) for name, content in kept)}


def _unmangled(code: bytes) -> bytes:
    """Code without the numbers by which TorchScript tells classes of one name apart within a process."""
    return re.sub(rb"[./]___torch_mangle_\d+", b"", code)


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
