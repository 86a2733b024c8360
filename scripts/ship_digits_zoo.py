"""Copy the models of `robust-eval sweep examples/digits-zoo.yaml --out FOLDER` to the installed checkpoints.

    python scripts/ship_digits_zoo.py FOLDER

Seed 0 of a row becomes `digits_ROW`, seed N `digits_ROW_seedN`; the results go to examples/digits-zoo.md and .json.
"""

from __future__ import annotations

import dataclasses
import shutil
import sys
from pathlib import Path

from robustbench_eff.models.card import CARD, WEIGHTS, Card
from robustbench_eff.training.sweep_spec import Sweep, folder_name

ROOT = Path(__file__).parents[1]
CHECKPOINTS, EXAMPLES = ROOT / "defenses" / "checkpoints", ROOT / "examples"


def main() -> None:
    """Copy every model that the sweep file lists; a missing one is an error."""
    folder = Path(sys.argv[1])
    sweep = Sweep.parse((EXAMPLES / "digits-zoo.yaml").read_text(), "digits-zoo.yaml")
    for row in sweep.recipes():
        for seed in sweep.seeds:
            trained = folder / folder_name(row, seed)
            name = f"digits_{row}" if seed == 0 else f"digits_{row}_seed{seed}"
            card = dataclasses.replace(Card.read(trained / CARD), name=name)
            (CHECKPOINTS / f"{name}.json").write_text(card.text(), encoding="utf-8")
            shutil.copyfile(trained / WEIGHTS, CHECKPOINTS / f"{name}.safetensors")
    for source, name in (
        ("table.md", "digits-zoo.md"),
        ("results.json", "digits-zoo.json"),
        ("plot.png", "digits-zoo.png"),
    ):
        shutil.copyfile(folder / source, EXAMPLES / name)


if __name__ == "__main__":
    main()
