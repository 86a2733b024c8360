"""`robustbench:NAME`: the models of RobustBench, with the files of weights that it publishes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any

from torch import nn

from robustbench_eff.core import spec
from robustbench_eff.core.errors import Missing, ModelError, reason
from robustbench_eff.core.flags import UNRELIABLE_AUTOATTACK
from robustbench_eff.core.preprocessing import Preprocessing

from .. import architectures
from ..networks.catalog import NETWORKS
from ..networks.wrappers import MeanOfProbabilities, Standardised
from ..request import LoadedModule, ModelRequest
from ..robustbench_table import INSTALL, PACKAGE, RobustBenchEntry, find_entry
from ..weights import CONTAINERS, StateDict, load_state, read_state
from .robustbench_files import WeightsFiles, find_files, named_after_another
from .robustbench_state import PreparedState, prepare_state

MEAN = "the logarithm of the mean of its members' probabilities, where RobustBench's network returns that mean"


@dataclass(frozen=True, slots=True)
class RobustBenchModels:
    """Models of RobustBench. See `ModelSource`."""

    def missing(self, target: str, request: ModelRequest) -> list[Missing]:
        """Return the files of weights that are not there, with their addresses. See `ModelSource`.

        Args:
            target: Name of a model of RobustBench, with or without dataset and threat model.
            request: The user's options.
        """
        entry = find_entry(target)
        request.refuse_model_args("the network is the published one")
        _check_can_be_built(entry)
        if request.weights is None and request.random_weights:
            return []
        return list(find_files(entry, request).missing)

    def build(self, target: str, request: ModelRequest) -> LoadedModule:
        """Return the published network with its weights, and RobustBench's preprocessing. See `ModelSource`.

        Args:
            target: Name of a model of RobustBench, with or without dataset and threat model.
            request: The user's options.
        """
        entry = find_entry(target)
        _check_can_be_built(entry)
        files = find_files(entry, request)
        module = build_network(entry)
        loaded = _Loaded(mean=entry.mean, std=entry.std)
        if files.paths:
            loaded = _load(entry, module, files, request)
        elif not request.random_weights:
            raise ModelError(f"The weights of {entry.name} are missing.", f"Get them: {', '.join(entry.weights)}")
        preprocessing = Preprocessing(geometry=entry.geometry, mean=loaded.mean, std=loaded.std)
        resize = entry.geometry.resize
        crop_pct = entry.geometry.shape[0] / resize if isinstance(resize, int) else 1.0
        warnings = (UNRELIABLE_AUTOATTACK,) if entry.unreliable else ()
        averaged = (MEAN,) if isinstance(module, MeanOfProbabilities) else ()
        return LoadedModule(
            module=module.eval(),
            preprocessing=request.adapt(preprocessing, crop_pct),
            source=f"robustbench:{entry.name}",
            label_space=entry.dataset,
            notes=tuple(filter(None, (*loaded.notes, files.note, *averaged))),
            flags=(*loaded.flags, *warnings),
            all_loaded=bool(files.paths),
        )

    def label_space(self, target: str, request: ModelRequest) -> str:
        """Return the dataset. See `ModelSource`.

        Args:
            target: Name of a model of RobustBench, with or without dataset and threat model.
            request: The user's options.
        """
        del request
        return find_entry(target).dataset


ROBUSTBENCH = RobustBenchModels()


def build_network(entry: RobustBenchEntry) -> nn.Module:
    """Return the network of a model with its initialization; the mean of its members for an ensemble.

    Args:
        entry: A model that has a network.

    Raises:
        ModelError: RobustBench's package fails to build it.
    """
    if entry.network == PACKAGE:
        return _of_package(entry)
    members = [_of_text(entry.network, entry.num_classes) for _ in entry.weights]
    network = members[0] if len(members) == 1 else MeanOfProbabilities(members)
    return Standardised(network) if entry.standardised else network


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    """What came of a load besides the weights."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    notes: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


def _check_can_be_built(entry: RobustBenchEntry) -> None:
    if not entry.weights:
        raise ModelError(
            f"RobustBench publishes numbers of {entry.name}, and no weights.",
            "If you have them, write its network as an nn.Module: --model path/to/file.py:factory --weights FILE.",
        )
    if not entry.network:
        raise ModelError(
            f"{entry.name} ({entry.label}) can be built by RobustBench's own code alone, and that on a GPU.",
            "Load it in a factory with robustbench.load_model: --model path/to/file.py:factory.",
        )
    if entry.network == PACKAGE and find_spec("robustbench") is None:
        raise ModelError(
            f"{entry.name} ({entry.label}) can be built by RobustBench's own package alone, which is not installed.",
            f"Install it: {INSTALL}.",
        )


def _of_text(text: str, num_classes: int) -> nn.Module:
    parsed = spec.parse(text)
    if parsed.name in NETWORKS:
        return NETWORKS[parsed.name](num_classes=num_classes, **parsed.arguments)
    return architectures.build(text, num_classes)


def _of_package(entry: RobustBenchEntry) -> nn.Module:
    try:
        zoo: Any = __import__("robustbench.model_zoo", fromlist=["model_dicts"]).model_dicts
        rows = {
            (dataset.value, threat.value): rows for dataset, threats in zoo.items() for threat, rows in threats.items()
        }
        module: nn.Module = rows[entry.dataset, entry.threat][entry.short]["model"]()
    except Exception as error:  # the package and what it imports may fail in any way
        raise ModelError(
            f"RobustBench's package cannot build {entry.name}: {reason(error)}.", f"Install it so: {INSTALL}."
        ) from error
    return module


def _load(entry: RobustBenchEntry, module: nn.Module, files: WeightsFiles, request: ModelRequest) -> _Loaded:
    """Load all files of a model into its network."""
    inner = module.network if isinstance(module, Standardised) else module
    parts = entry.parts or tuple(f"models.{number}." for number in range(len(files.paths)))
    parts = ("",) if len(files.paths) == 1 else parts
    state: StateDict = {}
    prepared: list[PreparedState] = []
    notes: list[str] = []
    containers = (entry.entry, *CONTAINERS) if entry.entry else CONTAINERS
    for part, path in zip(parts, files.paths, strict=True):
        content, found = read_state(path, trust=request.trust_checkpoint, containers=containers)
        of_part = prepare_state(entry, inner.get_submodule(part.rstrip(".")), content, path)
        state |= {part + name: value for name, value in of_part.state.items()}
        prepared.append(of_part)
        notes += [f"weights from {path.name}", *found, *of_part.notes]
    if entry.network == PACKAGE:
        state = {**_own_constants(inner), **state}
    notes += load_state(inner, state, files.paths[0])
    means = {(of_part.mean, of_part.std) for of_part in prepared}
    if len(means) > 1:
        raise ModelError(
            f"The {len(prepared)} files of {entry.name} have different mean and std.", "Pass one ensemble."
        )
    others = dict.fromkeys(named_after_another(entry, path) for path in files.paths)
    flags = tuple(f"weights file of another name: {other}" for other in others if other)
    own = _Loaded(mean=entry.mean, std=entry.std, notes=tuple(dict.fromkeys(notes)), flags=flags)
    ((mean, std),) = means
    return own if mean is None or std is None else replace(own, mean=mean, std=std)


def _own_constants(module: nn.Module) -> StateDict:
    """Mean and std within a network of RobustBench's package, which files need not have."""
    ends = ("mu", "sigma", "mean", "std")
    return {name: value for name, value in module.state_dict().items() if name.rpartition(".")[2] in ends}
