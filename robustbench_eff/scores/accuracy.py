"""Clean and robust accuracy with Wilson intervals."""

from __future__ import annotations

from dataclasses import replace

from robustbench_eff.core.statistics import wilson

from .build_score import score_of
from .cell_groups import CellOutcomes
from .score import Score
from .score_function import CellScores


def accuracy_scores(item: CellOutcomes) -> list[Score]:
    """Return `accuracy` of a cell, or for an attack `robust_accuracy` and `robust_accuracy_8bit`.

    Robust accuracy is the fraction of all samples that are classified correctly both clean and perturbed; `_8bit`
    judges the perturbed image rounded to 8 bits. A smoothed classifier is not asked for that, and its abstentions are
    not correct; a flag counts them.

    Args:
        item: The cell with its outcomes.
    """
    columns = {"accuracy": "correct"}
    if item.cell.kind == "attack":
        columns = {"robust_accuracy": "correct"}
    if item.kind == "attack":
        columns["robust_accuracy_8bit"] = "correct_8bit"
    n = len(item)
    scores = []
    for metric, column in columns.items():
        correct = int(item.column(column).sum())
        interval = wilson(correct, n) if n else (None, None)
        scores.append(score_of(item, metric, correct / n if n else None, interval))
    if item.kind == "smoothed attack" and (abstained := int((item.column("prediction") < 0).sum())):
        scores = [replace(score, flags=(*score.flags, f"abstained: {abstained}")) for score in scores]
    return scores


CLEAN_ACCURACY = CellScores(compute=accuracy_scores, kinds=("clean", "corruption"))
ROBUST_ACCURACY = CellScores(
    compute=accuracy_scores, kinds=("attack", "smoothed attack"), columns=("correct_8bit", "prediction")
)
