"""Hashes of the values of arrays, and of tensors of any kind: dense, sparse, quantised, of 16 bits, on any device."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


def tensor_digest(tensor: Tensor) -> str:
    """Return a hash of type, shape and values, which is the same on every device.

    Args:
        tensor: Any tensor; one without values, on the device `meta`, is hashed by type and shape.
    """
    described = f"{tensor.dtype} {tuple(tensor.shape)}"
    with torch.no_grad():
        parts = _dense(tensor.detach())
    digest = hashlib.blake2b(described.encode(), digest_size=16)
    for part in parts:
        digest.update(part.cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return f"{described} {digest.hexdigest()}"


def array_digest(array: npt.NDArray[Any]) -> str:
    """Return a hash of type, shape and values.

    Args:
        array: An array of anything but objects.
    """
    content = hashlib.blake2b(np.ascontiguousarray(array).tobytes(), digest_size=16)
    return f"{array.dtype.str} {array.shape} {content.hexdigest()}"


def _dense(tensor: Tensor) -> list[Tensor]:
    """The dense tensors that make up a tensor."""
    if tensor.device.type == "meta":
        return []
    if hasattr(tensor, "__tensor_flatten__"):  # a wrapper of other tensors, such as a quantised weight
        names, context = tensor.__tensor_flatten__()
        described = torch.frombuffer(bytearray(repr(context).encode()), dtype=torch.uint8)
        return [described, *(part for name in names for part in _dense(getattr(tensor, name).detach()))]
    if tensor.is_quantized:
        if tensor.qscheme() in (torch.per_tensor_affine, torch.per_tensor_symmetric):
            scheme = [torch.tensor([tensor.q_scale(), float(tensor.q_zero_point())], dtype=torch.float64)]
        else:
            scheme = [tensor.q_per_channel_scales(), tensor.q_per_channel_zero_points()]
        return [tensor.int_repr(), *scheme]
    if tensor.layout == torch.sparse_coo:
        tensor = tensor.coalesce()
        return [tensor.indices(), tensor.values()]
    if tensor.layout != torch.strided:
        return [tensor.to_dense()]
    if tensor.is_complex():
        return [torch.view_as_real(tensor.resolve_conj())]
    return [tensor.reshape(1) if tensor.ndim == 0 else tensor.resolve_neg()]
