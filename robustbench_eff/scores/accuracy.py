"""Clean and robust accuracy with Wilson intervals."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from .intervals import wilson
from .score import Score


def accuracy_scores(cell: dict[str, Any], outcomes: pa.Table, cell_id: str = "") -> list[Score]:
    """The scores of one cell: `accuracy` when nothing was perturbed, else `robust_accuracy` and its 8-bit twin.

    Robust accuracy is the fraction of all samples that are right both clean and perturbed; `_8bit` judges
    the perturbed image rounded to 8 bits. `cell` is what the store recorded of the cell.
    """
    clean = cell["perturbation"] == "none"
    name = "accuracy" if clean else "robust_accuracy"
    columns = {name: "correct"} if clean else {name: "correct", f"{name}_8bit": "correct_8bit"}
    seed = "" if cell["seed"] is None else f" · seed {cell['seed']}"
    n = outcomes.num_rows
    scores = []
    for metric, column in columns.items():
        right = int(pc.sum(outcomes[column]).as_py() or 0)
        low, high = wilson(right, n) if n else (None, None)
        scores.append(
            Score(
                model=cell["model"],
                benchmark=cell["benchmark"],
                perturbation=cell["perturbation"],
                metric=metric,
                value=right / n if n else None,
                low=low,
                high=high,
                n=n,
                protocol=f"{cell['protocol']}{seed}",
                flags=_flags(outcomes, cell["samples"]),
                cell=cell_id,
            )
        )
    return scores


def _flags(outcomes: pa.Table, samples: int) -> tuple[str, ...]:
    """Incompleteness, and how often the referee objected."""
    found = [f"incomplete: {outcomes.num_rows} of {samples}"] if outcomes.num_rows < samples else []
    objections = Counter(flag for flag in outcomes["flag"].to_pylist() if flag)
    return (*found, *(f"{flag}: {count}" for flag, count in sorted(objections.items())))
