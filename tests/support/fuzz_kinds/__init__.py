"""The kinds of input of the fuzz battery: one file and one row each. A file defines `KIND`."""

from __future__ import annotations

from importlib import import_module

from fuzzing import Kind

NAMES = (
    "alexnet",
    "cifar_pickle",
    "cifar_records",
    "class_map",
    "class_order",
    "columns",
    "component",
    "csv_table",
    "entry",
    "image",
    "npy_pair",
    "npz",
    "parquet",
    "published_file",
    "suite",
    "tar",
    "timm_table",
    "trials",
)


def kind(name: str) -> Kind:
    """Return a kind by its name.

    Args:
        name: One of `NAMES`.
    """
    found: Kind = import_module(f"fuzz_kinds.{name}").KIND
    return found
