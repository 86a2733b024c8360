"""Names of models that belong to no source as they are written: what to write instead. Imports no torch."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from robustbench_eff.core.errors import UsageError, closest

from .aliases import aliases
from .known_architectures import TIMM, TORCHVISION, architectures
from .request import WEIGHT_SUFFIXES

_HUB, _ROBUSTBENCH = "hf", "robustbench"
_WEIGHTS_ENTRY = re.compile(r"\w+_Weights\.\w+")
"""How torchvision names weights."""
_SHOWN = 4
"""Number of names that are offered."""
MODEL_FILES = {".onnx": "onnx", ".tflite": "tflite"}
"""Sources by the ends of the names of files that are whole networks."""
PACKED = (".gz", ".bz2", ".xz")
"""Ends of the names of compressed files."""
SUFFIXES = (*WEIGHT_SUFFIXES, *MODEL_FILES, *PACKED, ".ckpt", ".pkl", ".pickle", ".pt2", ".ipynb", ".h5", ".keras")
"""Ends of the names of files that people take for the name of a model."""


def names_file(name: str) -> bool:
    """Return whether a model is named by its Python file alone, without a factory.

    Args:
        name: Name of the model.
    """
    return name.endswith((".py", ".py:"))


def looks_like_file(name: str) -> bool:
    """Return whether the name of a model is that of a file or folder, there or not.

    Args:
        name: Name of the model, which belongs to no source.
    """
    path = Path(name).expanduser()
    return path.exists() or path.suffix.lower() in SUFFIXES or name.startswith(("./", "../", "/", "~"))


def unknown(name: str, forms: str) -> UsageError:
    """Return the error for a name that belongs to no source.

    Args:
        name: The name.
        forms: How models are named.
    """
    hint = f"{instead_of(name)}\nList the names with `robust-eval list models PATTERN`; other forms: {forms}."
    return UsageError(f"Unknown model {name!r}.", hint.lstrip())


def instead_of(name: str) -> str:
    """Return a question that offers what a name stands for in a source, or what is close to it; empty if nothing is.

    Args:
        name: Name that belongs to no source.
    """
    known = _qualified()
    architecture, dot, tag = name.partition(".")
    if name in known:
        return _question(known[name])
    if dot and (same := [item for item in known.get(architecture, ()) if item.startswith(f"{TIMM}:")]):
        return _question(tuple(f"{item}.{tag}" for item in same))
    if _WEIGHTS_ENTRY.fullmatch(name):
        return _question((f"{TORCHVISION}:{name}",))
    is_of_hub = name.count("/") == 1 and not name.startswith((".", "/", "~"))
    if is_of_hub and all(name.split("/")):
        return _question((f"{_HUB}:{name}",))
    near = [item for bare in closest(name, known) for item in known[bare]]
    return _question(tuple(dict.fromkeys(near))[:_SHOWN]) if near else ""


@cache
def _qualified() -> dict[str, tuple[str, ...]]:
    """What a user writes for each name that libraries, papers and tables use."""
    pairs = [(item.partition(":")[2], item) for item in architectures()]
    for alias in aliases().values():
        pairs.append((alias.name, alias.name))
        if alias.source in (TIMM, TORCHVISION, "open_clip", _ROBUSTBENCH):
            pairs.append((alias.target, f"{alias.source}:{alias.target}"))
        if alias.source == _ROBUSTBENCH:
            short = alias.target.rpartition("/")[2]
            pairs.append((short, f"{_ROBUSTBENCH}:{short}"))
    found: dict[str, dict[str, None]] = {}
    for bare, item in pairs:
        found.setdefault(bare, {})[item] = None
    return {bare: tuple(items) for bare, items in found.items()}


def _question(items: tuple[str, ...]) -> str:
    return f"Did you mean {' or '.join(item if ':' in item else repr(item) for item in items)}?"
