"""Clean and robust accuracy with Wilson intervals; of a stream in several orders, over these too."""

from __future__ import annotations

from robustbench_eff.core.statistics import wilson

from .build_score import score_of
from .cell_groups import CellOutcomes
from .order_votes import interval_over_orders, order_votes
from .score import Score
from .score_function import CellScores


def accuracy_scores(item: CellOutcomes) -> list[Score]:
    """Return `accuracy` of a cell, or for an attack `robust_accuracy` and `robust_accuracy_8bit`.

    Robust accuracy is the fraction of all samples that are classified correctly both clean and perturbed; `_8bit`
    judges the perturbed image rounded to 8 bits. Of a stream in several orders, `accuracy` is the mean over them.

    Args:
        item: The cell with its outcomes.
    """
    if item.cell.orders > 1 and len(item):
        votes = order_votes(item)
        return [score_of(item, "accuracy", float(votes.mean()), interval_over_orders(votes))]
    columns = {"accuracy": "correct"}
    if item.cell.kind == "attack":
        columns = {"robust_accuracy": "correct", "robust_accuracy_8bit": "correct_8bit"}
    n = len(item)
    scores = []
    for metric, column in columns.items():
        correct = int(item.column(column).sum())
        interval = wilson(correct, n) if n else (None, None)
        scores.append(score_of(item, metric, correct / n if n else None, interval))
    return scores


CLEAN_ACCURACY = CellScores(compute=accuracy_scores, kinds=("clean", "corruption"))
ROBUST_ACCURACY = CellScores(compute=accuracy_scores, kinds=("attack",), columns=("correct_8bit",))
