"""Cards of trained networks."""

from __future__ import annotations

import json

from fuzzing import text_file
from robustbench_eff.models.aliases import checkpoints
from robustbench_eff.models.card import Card

_CARD = json.loads((checkpoints() / "digits_standard.json").read_text())
_SHORT = json.dumps({**_CARD, "epochs": _CARD["epochs"][:2]}, indent=1).encode()

KIND = text_file("model.json", [_SHORT], Card.read)
