"""Clean and robust accuracy with exact intervals; of a stream in several orders, over these too."""

from __future__ import annotations

from dataclasses import replace

from robustbench_eff.core.statistics import proportion_interval

from .build_score import score_of
from .cell_groups import CellOutcomes
from .chance import chance_flag
from .order_votes import interval_over_orders
from .score import Score
from .score_function import CellScores


def accuracy_scores(item: CellOutcomes) -> list[Score]:
    """Return `accuracy` of a cell, or for an attack `robust_accuracy` and `robust_accuracy_8bit`.

    Robust accuracy is the fraction of all samples that are classified correctly both clean and perturbed; `_8bit`
    judges the perturbed image rounded to 8 bits. Of a network that draws at random, both are the expected accuracy of
    one draw: the mean over samples of the fraction of right votes. `accuracy_every_vote` and
    `robust_accuracy_every_vote` are the fraction of samples of which all votes are right, in place of `_8bit`.

    The exact interval at the mean of votes is conservative: a mean of numbers in [0, 1] varies at most as much as one
    of zeros and ones, over samples and draws together.

    A smoothed classifier is not asked about the rounded image, and its abstentions are not correct; a flag
    counts them.

    Of a stream in several orders, `accuracy` is the mean over them.

    A clean accuracy that is not above chance says so in a flag.

    Args:
        item: The cell with its outcomes.
    """
    if item.cell.orders > 1 and len(item):
        votes = item.votes
        return [score_of(item, "accuracy", float(votes.mean()), interval_over_orders(votes))]
    metric = "robust_accuracy" if item.cell.kind == "attack" else "accuracy"
    shares = {metric: item.right_shares}
    if item.has_votes:
        shares[f"{metric}_every_vote"] = shares[metric] == 1
    elif item.kind == "attack":
        shares["robust_accuracy_8bit"] = item.column("correct_8bit")
    n, scores = len(item), []
    for name, right in shares.items():
        total = float(right.sum())
        interval = proportion_interval(total, n) if n else (None, None)
        scores.append(score_of(item, name, total / n if n else None, interval))
    if item.kind == "smoothed attack" and (abstained := int((item.column("prediction") < 0).sum())):
        scores = [replace(score, flags=(*score.flags, f"abstained: {abstained}")) for score in scores]
    if item.kind == "clean" and (flag := chance_flag(item)):
        scores = [replace(score, flags=(*score.flags, *flag)) for score in scores]
    return scores


CLEAN_ACCURACY = CellScores(compute=accuracy_scores, kinds=("clean", "corruption"))
ROBUST_ACCURACY = CellScores(
    compute=accuracy_scores, kinds=("attack", "smoothed attack"), columns=("correct_8bit", "prediction")
)
