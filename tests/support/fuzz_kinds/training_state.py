"""States of trainings between two epochs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fuzzing import Kind
from robustbench_eff.defenses.training_state import Checkpoint, Epoch, load, save
from strange_weights import good


def _samples(folder: Path) -> Sequence[bytes]:
    history = [Epoch(number=1, loss=1.0, clean=0.5, robust=None, seconds=2.0)]
    path = folder / "training.pt"
    state = {"state": {}, "param_groups": [{"lr": 0.1}]}
    save(path, Checkpoint(step=3, module=good(), optimizer=state, rates={}, average=None, history=history))
    return [path.read_bytes()]


def _read(content: bytes, folder: Path) -> None:
    path = folder / "training.pt"
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    load(path)


KIND = Kind(_samples, _read)
