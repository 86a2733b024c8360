"""Mean gap: how much more confident a model is in its correct predictions than in its wrong ones."""

from __future__ import annotations

from robustbench_eff.core.metric import Metric
from robustbench_eff.scores.build_score import score_of
from robustbench_eff.scores.cell_groups import CellOutcomes
from robustbench_eff.scores.score import Score
from robustbench_eff.scores.score_function import CellScores

GAP = Metric(
    name="acme/mean_confidence_gap",
    summary="mean confidence of correct predictions minus that of wrong ones",
    low=-1.0,
    source="Hendrycks & Gimpel 2017, arXiv:1610.02136, table 1 (mean confidences)",
)


def mean_confidence_gap(item: CellOutcomes) -> list[Score]:
    """Return the gap of a clean cell; it has no value, and no interval, where all samples are right or all wrong.

    Args:
        item: The cell with its outcomes.
    """
    correct, confidence = item.correct, item.column("prediction_confidence")
    value = None
    if len(item) and correct.any() and not correct.all():
        value = float(confidence[correct].mean() - confidence[~correct].mean())
    return [score_of(item, GAP.name, value, (None, None))]


MEAN_CONFIDENCE_GAP = CellScores(
    compute=mean_confidence_gap, kinds=("clean",), columns=("prediction_confidence",), metrics=(GAP,)
)
