"""Write what RobustBench's own networks are and answer: tests/models/data/robustbench_reference.json.

    python scripts/golden_robustbench.py

RobustBench's package must be importable: see `robust-eval doctor`. Every distinct network that this package can build
too is built by RobustBench's code, given seeded weights, and asked about two images of noise.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from robustbench_eff.models.robustbench_table import PACKAGE, RobustBenchEntry, robustbench_entries
from ship_robustbench import ROOT, WithoutValues, build, without_pretrained, zoo

sys.path.insert(0, str(ROOT / "tests" / "support"))

from seeded_networks import images_of, seeded_state, shapes_digest

REFERENCE = ROOT / "tests" / "models" / "data" / "robustbench_reference.json"
CONSTANTS = ("mu", "sigma", "mean", "std", "normalize.mean", "normalize.std")


def our_names(module: nn.Module) -> dict[str, str]:
    """Return the names of a network's tensors by those without its normalisation."""
    state = module.state_dict()
    normalised = any(name.startswith("normalize.") for name in state)
    names = [name for name in state if name not in CONSTANTS and not name.startswith("branch")]
    return {name.removeprefix("model.") if normalised else name: name for name in names}


def reference(entry: RobustBenchEntry, row: Mapping[str, object]) -> dict[str, object]:
    """Return shapes, size and logits of RobustBench's network of an entry."""
    positions = "swin" in entry.network  # it computes tensors that no file has
    with nullcontext() if positions else WithoutValues():
        module = build(entry.name, row)
    names = our_names(module)
    state = module.state_dict()
    tensors = {ours: state[theirs] for ours, theirs in names.items()}
    values = seeded_state(tensors)
    module.load_state_dict({theirs: values[ours] for ours, theirs in names.items()}, strict=False, assign=True)
    for ours, theirs in names.items():  # members of an ensemble may be known under two names
        _assign(module, theirs, values[ours])
    with torch.no_grad():
        output: Tensor = module.eval()(images_of(entry.geometry.shape[0]))
    logits = output.log() if len(entry.weights) > 1 else output
    return {
        "network": entry.network,
        "tensors": shapes_digest(tensors),
        "parameters": sum(value.numel() for value in module.parameters()),
        "logits": [[round(value, 5) for value in image[:10]] for image in logits.tolist()],
    }


def _assign(module: nn.Module, name: str, value: Tensor) -> None:
    owner, _, last = name.rpartition(".")
    parent = module.get_submodule(owner)
    if last in parent._parameters:
        parent._parameters[last] = nn.Parameter(value)
    else:
        parent._buffers[last] = value


def main() -> None:
    """Write one row per distinct network."""
    without_pretrained()
    rows, found = zoo(), dict[tuple[object, ...], str]()
    table: dict[str, object] = json.loads(REFERENCE.read_text()) if REFERENCE.exists() else {}
    for entry in sorted(robustbench_entries().values(), key=lambda entry: entry.parameters):
        key = (entry.network, entry.num_classes, len(entry.weights), entry.standardised)
        if entry.network in ("", PACKAGE) or key in found:
            continue
        found[key] = entry.name
        if entry.name not in table:
            table[entry.name] = reference(entry, rows[entry.name])
            lines = ",\n".join(f" {json.dumps(name)}: {json.dumps(row)}" for name, row in table.items())
            REFERENCE.write_text(f"{{\n{lines}\n}}\n")
            print(entry.name, flush=True)


if __name__ == "__main__":
    main()
