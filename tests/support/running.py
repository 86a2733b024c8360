"""Short runs of the main job, and what they stored, for tests."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from robustbench_eff import evaluate
from robustbench_eff.store import Store

ATTACKS = ("fgsm(eps=8/255)", "pgd(eps=8/255, restarts=2)", "pgd(eps=1, norm=l2)")


COUNT = 96


def run(store: Path, *models, attacks=ATTACKS, limit: int = COUNT, **options):
    return evaluate(*(models or ("digits_standard",)), attacks=attacks, limit=limit, store=store, **options)


def accuracies(scores) -> list:
    """The scores that say how many are right in a cell: clean, or under one attack."""
    kinds = ("accuracy", "robust_accuracy", "robust_accuracy_8bit")
    return [score for score in scores if score.metric in kinds and not score.perturbation.startswith("worst of")]


def outcomes(store: Path) -> dict[str, pa.Table]:
    opened = Store(store)
    return {cell["perturbation"]: opened.outcomes(cell_id) for cell_id, cell in opened.cells().items()}


def by_cell(store: Path) -> dict[str, pa.Table]:
    opened = Store(store)
    return {cell_id: opened.outcomes(cell_id) for cell_id in opened.cells()}
