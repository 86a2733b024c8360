"""Weights of a small network: PyTorch's two formats, safetensors, TorchScript."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch
from safetensors.torch import save
from torch import nn

from fuzzing import Kind
from robustbench_eff.models.weights import load_weights
from strange_weights import good, network


@cache
def _module() -> nn.Module:
    return network()


def _kind(*samples: bytes) -> Kind:
    def made(_folder: Path) -> Sequence[bytes]:
        return samples

    def read(content: bytes, folder: Path) -> None:
        path = folder / "weights"
        path.unlink(missing_ok=True)  # not overwritten: an earlier one may be mapped into memory
        path.write_bytes(content)
        load_weights(_module(), path)

    return Kind(made, read)


def _saved(content: object, **options: bool) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, **options)
    return buffer.getvalue()


def _script() -> bytes:
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(network()), buffer)
    return buffer.getvalue()


def pytorch() -> Kind:
    """Archives of torch.save."""
    return _kind(_saved(good()), _saved({"state_dict": good(), "epoch": 3}))


def legacy() -> Kind:
    """Files of torch.save before version 1.6."""
    return _kind(_saved(good(), _use_new_zipfile_serialization=False))


def safetensors() -> Kind:
    """Files of safetensors."""
    return _kind(save(good()))


def torchscript() -> Kind:
    """Programs, which are refused as weights."""
    return Kind(lambda _folder: [_script()], _kind().read)
