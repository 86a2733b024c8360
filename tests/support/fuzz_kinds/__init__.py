"""The kinds of input of the fuzz battery: one file and one row each. A file defines `KIND`."""

from __future__ import annotations

from importlib import import_module

from fuzzing import Kind

NAMES = (
    "card",
    "suite",
    "tensorflow_data",
    "tensorflow_index",
    "training_state",
    "weights_legacy",
    "weights_pytorch",
    "weights_safetensors",
    "weights_torchscript",
)


def kind(name: str) -> Kind:
    """Return a kind by its name.

    Args:
        name: One of `NAMES`.
    """
    found: Kind = import_module(f"fuzz_kinds.{name}").KIND
    return found
