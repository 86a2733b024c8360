"""Cards of trained networks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from fuzzing import Kind
from robustbench_eff.models.aliases import checkpoints
from robustbench_eff.models.card import Card


def _samples(_folder: Path) -> Sequence[bytes]:
    card = json.loads((checkpoints() / "digits_standard.json").read_text())
    return [json.dumps({**card, "epochs": card["epochs"][:2]}, indent=1).encode()]


def _read(content: bytes, folder: Path) -> None:
    path = folder / "model.json"
    path.write_bytes(content)
    Card.read(path)


KIND = Kind(_samples, _read, is_text=True)
