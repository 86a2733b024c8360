"""Clean and robust accuracy with Wilson intervals."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from robustbench_eff.core.statistics import wilson

from .build_score import score_of
from .corruptions import is_corrupted
from .score import Score


def accuracy_scores(cell: dict[str, Any], outcomes: pa.Table, cell_id: str = "") -> list[Score]:
    """The scores of one cell: `accuracy` unless it was attacked, else `robust_accuracy` and its 8-bit twin.

    Robust accuracy is the fraction of all samples that are right both clean and perturbed; `_8bit` judges
    the perturbed image rounded to 8 bits. `cell` is what the store recorded of the cell.
    """
    attacked = cell["perturbation"] != "none" and not is_corrupted(cell)
    columns = {"accuracy": "correct"}
    if attacked:
        columns = {"robust_accuracy": "correct", "robust_accuracy_8bit": "correct_8bit"}
    n = outcomes.num_rows
    scores = []
    for metric, column in columns.items():
        right = int(pc.sum(outcomes[column]).as_py() or 0)
        interval = wilson(right, n) if n else (None, None)
        scores.append(score_of(cell, outcomes, cell_id, metric, right / n if n else None, interval))
    return scores
