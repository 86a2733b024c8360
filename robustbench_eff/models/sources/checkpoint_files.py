"""`checkpoint:ALIAS`: files that authors publish at an address, loaded into an architecture of timm or torchvision.

The table of aliases says for each the address, the architecture, how the file names its tensors, and how images are
prepared; each fact with the place it was taken from.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from robustbench_eff.core import spec
from robustbench_eff.core.errors import Missing, ModelError, did_you_mean
from robustbench_eff.core.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Geometry, Preprocessing
from robustbench_eff.system import downloads, network

from .. import architectures
from ..aliases import Alias, CheckpointFacts, aliases
from ..request import LoadedModule, ModelRequest, label_space_of, source_text
from ..weights import StateDict, load_weights

SOURCE = "checkpoint"
NUM_CLASSES = 1000


@dataclass(frozen=True, slots=True)
class CheckpointFiles:
    """Files of weights at addresses. See `ModelSource`."""

    def missing(self, target: str, request: ModelRequest) -> list[Missing]:
        """Return the file if it is not in the cache and its host cannot be reached. See `ModelSource`.

        Args:
            target: Alias of the model.
            request: The user's options.
        """
        alias, facts = _row(target)
        if request.weights is not None:
            return request.missing_weights_file()
        address = alias.address
        if address is None:
            why = "its host sends it unencrypted and states no hash, so it is not downloaded for you"
            return [Missing(f"weights of {target} ({why})", facts.by_hand, "--weights FILE", "--weights FILE")]
        if downloads.is_kept(address) or (not network.offline() and network.reachable(address.host)):
            return []
        why = f"{network.offline()} forbids the download" if network.offline() else f"{address.host} cannot be reached"
        return [Missing(f"weights of {target} ({why})", str(address), "--weights FILE")]

    def build(self, target: str, request: ModelRequest) -> LoadedModule:
        """Return the architecture with the published file, or with the user's. See `ModelSource`.

        Args:
            target: Alias of the model.
            request: The user's options, and the file that was downloaded.
        """
        _, facts = _row(target)
        if request.weights is None:
            raise ModelError(f"The weights of {target} were not downloaded.", "Pass the file with --weights FILE.")
        parsed = spec.parse(facts.architecture)
        library, _, name = parsed.name.partition(":")
        num_classes = request.num_classes or NUM_CLASSES
        module = architectures.build(
            source_text(library, name, {**parsed.arguments, **request.model_args}), num_classes
        )
        prepare = LAYOUTS.get(facts.layout)
        notes = load_weights(
            module,
            request.weights,
            trust=request.trust_checkpoint,
            prepare=None if prepare is None else lambda state, path: prepare(state, path, module),
        )
        geometry = Geometry(size=facts.input_size, resize=facts.resize, interpolation=facts.interpolation)
        preprocessing = Preprocessing(geometry=geometry, mean=facts.mean, std=facts.std)
        return LoadedModule(
            module=module,
            preprocessing=request.adapt(preprocessing, facts.input_size / facts.resize),
            source=source_text(SOURCE, target, request.model_args),
            label_space=label_space_of(num_classes),
            notes=(*notes, f"facts from {facts.origin}"),
            all_loaded=True,
        )

    def label_space(self, target: str, request: ModelRequest) -> str:
        """Return what the number of classes suggests, `imagenet` by default. See `ModelSource`.

        Args:
            target: Alias of the model.
            request: The user's options.
        """
        del target
        return request.label_space("imagenet")


CHECKPOINT_FILES = CheckpointFiles()


def _row(name: str) -> tuple[Alias, CheckpointFacts]:
    alias = aliases().get(name)
    if alias is None or alias.checkpoint is None:
        known = [other.name for other in aliases().values() if other.checkpoint is not None]
        raise ModelError(
            f"No checkpoint is known under {name!r}.",
            did_you_mean(name, known) or "List them with `robust-eval list models checkpoint`.",
        )
    return alias, alias.checkpoint


def _robustness(state: StateDict, path: Path, module: nn.Module) -> StateDict:
    """The network in a checkpoint of MadryLab's `robustness`, which also holds its attacker and its normalizers.

    The attacker's copy of the network is left out if it is the same, the normalizers if they are ImageNet's.
    """
    del module
    inner, copied = "module.model.", "module.attacker.model."
    if not any(key.startswith(inner) for key in state):
        return state  # somebody has taken the network out already
    network = {key.removeprefix(inner): value for key, value in state.items() if key.startswith(inner)}
    for key, value in state.items():
        if key.startswith(inner):
            continue
        if key.startswith(copied) and torch.equal(network.get(key.removeprefix(copied), torch.empty(0)), value):
            continue
        if key.endswith((".new_mean", ".new_std")):
            _check_normalizer(key, value, path)
            continue
        raise ModelError(f"{path} holds {key}, which is not a part of the network or differs from it.", _OTHER)
    return network


def _check_normalizer(key: str, value: Tensor, path: Path) -> None:
    """Raise an error if a normalizer in a file is not ImageNet's, which the network gets from its row."""
    wanted = torch.tensor(IMAGENET_MEAN if key.endswith("mean") else IMAGENET_STD)
    if value.numel() != wanted.numel() or not torch.allclose(value.flatten().float(), wanted, atol=1e-4):
        raise ModelError(f"{path} normalizes images otherwise: {key} is {value.flatten().tolist()[:3]}.", _OTHER)


def _normalized(state: StateDict, path: Path, module: nn.Module) -> StateDict:
    """The network in `nn.Sequential(normalizer, network)`; EasyRobust's newer files hold that, its older ones not."""
    del module
    normalizer = ("0.mean", "0.std")
    if not state.keys() >= set(normalizer):
        return state
    for key in normalizer:
        _check_normalizer(key, state[key], path)
    return {key.removeprefix("1."): value for key, value in state.items() if key not in normalizer}


def _mmpretrain(state: StateDict, path: Path, module: nn.Module) -> StateDict:
    """The network in a classifier of MMPretrain: a backbone named as torchvision's, and a head of one layer."""
    del path, module
    return {re.sub(r"^backbone\.|^head\.(?=fc\.)", "", key): value for key, value in state.items()}


def _xcit(state: StateDict, path: Path, module: nn.Module) -> StateDict:
    """The names that timm gives to the tensors of XCiT, by timm's own renaming."""
    del path
    from timm.models.xcit import checkpoint_filter_fn

    renamed: StateDict = checkpoint_filter_fn(state, module)
    return renamed


LAYOUTS: Mapping[str, Callable[[StateDict, Path, nn.Module], StateDict]] = {
    "mmpretrain": _mmpretrain,
    "normalized": _normalized,
    "robustness": _robustness,
    "xcit": _xcit,
}
"""How files name their tensors, where they do not name them as the architecture does."""
_OTHER = "Is it the file that the authors publish? Load another one in a factory: see docs/models.md."
