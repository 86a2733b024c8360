"""Write tests/golden/digits_standard.json again: python tests/golden/renew.py."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from robustbench_eff import evaluate

TARGET = Path(__file__).with_name("digits_standard.json")


def counts(store: Path) -> dict[str, int]:
    """How many samples stay right, by perturbation and metric."""
    scores = evaluate("digits_standard", suite="standard", store=store).scores
    return {f"{score.perturbation} {score.metric}": round(score.value * score.n) for score in scores}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        TARGET.write_text(json.dumps(counts(Path(folder)), indent=2) + "\n")
