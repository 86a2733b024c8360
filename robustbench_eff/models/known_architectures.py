"""The architectures of timm and torchvision by the names of their tensors, from a table.

No library is imported to look a name up; networks are built, without memory, only to compare shapes.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

from robustbench_eff.core.errors import ModelError

if TYPE_CHECKING:
    from torch import nn

    from .weights import StateDict

FILE = "architectures.json"
"""The table, which `scripts/render_architectures.py` writes."""
TIMM, TORCHVISION = "timm", "torchvision"
_COUNTER = "num_batches_tracked"


class Fit(NamedTuple):
    """An architecture that has all tensors of a file, in the same shapes."""

    name: str
    """Such as `timm:resnet18`."""
    num_classes: int | None
    """Number of outputs; None where it is that of the architecture by default."""


@cache
def table() -> Mapping[str, tuple[str, ...]]:
    """Return the names of architectures, such as `timm:resnet18`, by the digest of the names of their tensors."""
    content = json.loads((files("robustbench_eff") / "facts" / FILE).read_text(encoding="utf-8"))
    return {digest: tuple(names.split()) for digest, names in content["architectures"].items()}


@cache
def architectures() -> tuple[str, ...]:
    """Return the names of all architectures in the table, sorted."""
    return tuple(sorted(name for names in table().values() for name in names))


def digest_of(names: Iterable[str]) -> str:
    """Return the digest under which the table lists an architecture.

    Args:
        names: Names of its tensors; counters of batch norms do not count.
    """
    text = "\n".join(sorted(name for name in names if not name.endswith(_COUNTER)))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def build(name: str, num_classes: int | None = None) -> nn.Module:
    """Return an architecture without memory for its tensors, on the device `meta` wherever it can be built there.

    Args:
        name: Such as `timm:resnet18`.
        num_classes: Number of outputs; None for its default.
    """
    import torch

    try:
        with torch.device("meta"):
            return _build(name, num_classes)
    except NotImplementedError:  # torchvision's RegNets compute their widths with tensors
        return _build(name, num_classes)


def _build(name: str, num_classes: int | None) -> nn.Module:
    from torchvision import models

    from .sources import timm_models

    library, _, architecture = name.partition(":")
    arguments = {} if num_classes is None else {"num_classes": num_classes}
    if library == TIMM:
        return timm_models.untrained(architecture, arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # that GoogLeNet will be initialised otherwise
        module: nn.Module = models.get_model(architecture, weights=None, **arguments)
    return module


def fitting(state: StateDict) -> list[Fit]:
    """Return the architectures whose tensors have the names and shapes of a file's.

    Args:
        state: Tensors by name, without the prefix of a wrapper.
    """
    fits = [fit_of(name, state) for name in table().get(digest_of(state), ())]
    return [fit for fit in fits if fit is not None]


def fit_of(name: str, state: StateDict) -> Fit | None:
    """Return how an architecture fits the tensors of a file; None if it does not, with any number of outputs.

    Args:
        name: Such as `timm:resnet18`.
        state: Tensors by name, without the prefix of a wrapper.
    """
    from .weights import fits

    try:
        module = build(name)
        if fits(module, state):
            return Fit(name, None)
        wanted = module.state_dict()
        outputs = {
            value.shape[0]
            for key, value in state.items()
            if key in wanted
            and value.ndim
            and value.shape != wanted[key].shape
            and value.shape[1:] == wanted[key].shape[1:]
        }
        if len(outputs) != 1:
            return None
        (number,) = outputs
        return Fit(name, number) if fits(build(name, number), state) else None
    except (ModelError, ValueError, TypeError, RuntimeError):  # another version of the library may not have it
        return None
