"""The networks of RobustBench's models are RobustBench's: names and shapes of all tensors, sizes, and logits.

`tests/models/data/robustbench_reference.json` is what RobustBench's own code builds and answers, written by
`scripts/golden_robustbench.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from robustbench_eff.models.networks.wrappers import Standardised
from robustbench_eff.models.robustbench_table import PACKAGE, RobustBenchEntry, robustbench_entries
from robustbench_eff.models.sources.robustbench_models import build_network
from seeded_networks import images_of, seeded_state, shapes_digest

REFERENCE = json.loads((Path(__file__).parent / "data" / "robustbench_reference.json").read_text())
OURS = [entry for entry in robustbench_entries().values() if entry.network not in ("", PACKAGE)]
SMALL = 13_000_000
"""Most parameters of a network that the default tests ask for logits; one wide ResNet with SiLU is an exception."""
WIDE = "deepmind_wide_resnet(depth=28, width=10)"


def kind(entry: RobustBenchEntry) -> tuple[object, ...]:
    """What two entries with the same network share."""
    return entry.network, entry.num_classes, len(entry.weights), entry.standardised


KINDS = {kind(robustbench_entries()[name]): name for name in REFERENCE}


class _Unfilled(TorchFunctionMode):
    """Leaves out the initialization of weights, which takes most of the time of a construction."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        if name.endswith("_") and not name.endswith("__") and args and isinstance(args[0], Tensor) and args[0].is_meta:
            return args[0]
        return func(*args, **(kwargs or {}))


@contextmanager
def without_values() -> Iterator[None]:
    with torch.device("meta"), _Unfilled():
        yield


def network_of(entry: RobustBenchEntry) -> nn.Module:
    """Our network of an entry, without values."""
    with without_values():
        return build_network(entry).eval()


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (not name.startswith("cifar10/"))) for name in REFERENCE]
)
def test_names_shapes_and_sizes_are_those_of_robustbench(name: str) -> None:
    entry = robustbench_entries()[name]
    network = network_of(entry)
    inner = network.network if isinstance(network, Standardised) else network
    assert shapes_digest(inner.state_dict()) == REFERENCE[name]["tensors"]
    assert sum(value.numel() for value in network.parameters()) == REFERENCE[name]["parameters"]


def test_every_model_of_the_table_has_a_network_of_the_reference_and_its_size() -> None:
    for entry in OURS:
        assert kind(entry) in KINDS, entry.name
        assert entry.parameters == REFERENCE[KINDS[kind(entry)]]["parameters"], entry.name


def test_models_by_how_they_load() -> None:
    entries = robustbench_entries().values()
    counts = {
        "load without RobustBench's package": len(OURS),
        "load with it": sum(entry.network == PACKAGE for entry in entries),
        "have weights, and are built by its own code on a GPU alone": sum(
            bool(entry.weights) and not entry.network for entry in entries
        ),
        "have no published weights": sum(not entry.weights for entry in entries),
    }
    assert list(counts.values()) == [192, 11, 3, 30], counts


def is_slow(name: str) -> bool:
    """Whether the logits of a network are left to the slow tests."""
    row = REFERENCE[name]
    return not name.startswith("cifar10/") or (row["parameters"] > SMALL and row["network"] != WIDE)


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * is_slow(name)) for name in REFERENCE])
def test_logits_are_those_of_robustbench(name: str) -> None:
    entry = robustbench_entries()[name]
    network = build_network(entry).eval()
    inner = network.network if isinstance(network, Standardised) else network
    inner.load_state_dict(seeded_state(inner.state_dict()), assign=True)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (entry.mean, entry.std))
    with torch.no_grad():
        logits = network((images_of(entry.geometry.shape[0]) - mean) / std)[:, :10]
    expected = torch.tensor(REFERENCE[name]["logits"])
    tolerance = 2e-3 * float(expected.max() - expected.min())
    assert float((logits - expected).abs().max()) < tolerance
    assert float((expected[0] - expected[1]).abs().max()) > 2 * tolerance, "the two images must tell networks apart"
