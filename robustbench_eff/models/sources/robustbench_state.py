"""Published checkpoints of RobustBench's models, made to fit: prefixes, constants, and entries that nobody loads."""

from __future__ import annotations

import importlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from torch import Tensor, nn

from robustbench_eff.core.errors import ModelError

from ..robustbench_table import RobustBenchEntry
from ..weights import PREFIXES, StateDict

CONSTANTS = (
    ("mu", "sigma"),
    ("mean", "std"),
    ("normalize.mean", "normalize.std"),
    ("normalizer.new_mean", "normalizer.new_std"),
)
"""Names that the mean and the standard deviation of the normalisation have in checkpoints."""
COPY = "attacker."
"""Start of the names of a second copy of the network, in checkpoints of the package robustness."""
RENAMED = ("timm.models.convnext", "timm.models.swin_transformer", "timm.models.xcit")
"""Modules of timm that know the names of their tensors in older checkpoints."""


class PreparedState(NamedTuple):
    """A state_dict with the names of the network."""

    state: StateDict
    """Parameters and buffers by name."""
    mean: tuple[float, ...] | None
    """Mean of the normalisation, if the file has it."""
    std: tuple[float, ...] | None
    """Standard deviation of the normalisation, if the file has it."""
    notes: tuple[str, ...]
    """What was done."""


def prepare_state(entry: RobustBenchEntry, network: nn.Module, state: StateDict, path: Path) -> PreparedState:
    """Return a file's tensors under the names of a network.

    As RobustBench's loader does, prefixes of wrappers are removed from every name that has them; the normalisation may
    be in the file or not; and what the table names is left out. Nothing else is: a tensor too many is an error later.

    Args:
        entry: The model.
        network: The network, or the part of it that this file belongs to.
        state: Tensors of the file.
        path: The file, for messages.

    Raises:
        ModelError: Mean or std of the file do not have three values, or the file must have them and does not.
    """
    wanted = network.state_dict().keys()
    named = {_without_prefixes(name, wanted): value for name, value in state.items()}
    if len(named) != len(state):
        raise ModelError(f"{path} has two tensors of one name, with and without a prefix.", "Save one network alone.")
    dropped = [name for name in named if any(part in name for part in entry.ignored) or name.startswith(COPY)]
    kept = {name: value for name, value in named.items() if name not in dropped}
    notes = [f"{len(dropped)} entries of the file left out, such as {dropped[0]}"] if dropped else []
    mean, std = _constants(kept, wanted, path)
    if entry.constants_in_file and mean is None:
        raise ModelError(f"{path} lacks mu and sigma, the normalisation of {entry.short}.", "Pass the published file.")
    if mean is not None and std is not None:
        kept = {name: value for name, value in kept.items() if name in wanted or not _is_constant(name)}
        if _differs(mean, entry.mean) or _differs(std, entry.std):
            notes.append(f"mean {_listed(mean)} and std {_listed(std)} are those of the file")
    return PreparedState(_renamed(kept, network), mean, std, tuple(notes))


def _without_prefixes(name: str, wanted: Collection[str]) -> str:
    """A name without the prefixes of wrappers, until the network knows it."""
    while name not in wanted and (prefix := next((prefix for prefix in PREFIXES if name.startswith(prefix)), "")):
        name = name.removeprefix(prefix)
    inner = f"model.{name}"  # RobustBench's own networks may have their normalisation in front
    return inner if name not in wanted and inner in wanted else name


def _constants(
    state: Mapping[str, Tensor], wanted: Collection[str], path: Path
) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    for mean, std in CONSTANTS:
        if mean in state and std in state and mean not in wanted:
            pair = tuple(tuple(state[name].float().flatten().tolist()) for name in (mean, std))
            if any(len(values) != 3 for values in pair):
                raise ModelError(f"{path}: {mean} and {std} need one value for each of three channels.")
            return pair[0], pair[1]
    return None, None


def _is_constant(name: str) -> bool:
    return any(name in pair for pair in CONSTANTS)


def _renamed(state: StateDict, network: nn.Module) -> StateDict:
    """Tensors under timm's present names, where timm knows older ones; values are never changed."""
    if network.state_dict().keys() == state.keys() or type(network).__module__ not in RENAMED:
        return state
    renamed: StateDict = importlib.import_module(type(network).__module__).checkpoint_filter_fn(dict(state), network)
    originals = {id(value) for value in state.values()}
    return renamed if all(id(value) in originals for value in renamed.values()) else state


def _differs(values: tuple[float, ...], others: tuple[float, ...]) -> bool:
    return any(abs(value - other) > 1e-6 for value, other in zip(values, others, strict=True))


def _listed(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:.4g}" for value in values)
