"""How often changing a few pixels is enough, and how sure the network is then: what the one-pixel paper reports.

Source: Su, Vargas & Sakurai 2019, arXiv:1710.08864, section 4.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from robustbench_eff.core.statistics import proportion_interval

from .bounded_means import mean_interval
from .build_score import score_of
from .cell_groups import CellOutcomes
from .confidences import unusable
from .score import Score
from .score_function import CellScores

ATTACK = "one_pixel"
UNLIKE_THE_PAPER = (
    "one success per image, at its first misclassification, where the paper averages all successful pairs of image and "
    "target at the end of its search"
)
"""Flag of the mean confidence."""


def one_pixel_scores(item: CellOutcomes) -> list[Score]:
    """Return `any_target_success_rate` and `mean_confidence` of a cell of the one-pixel attack; nothing for others.

    The rate is the fraction of the samples classified correctly when clean that the attack moved to any other class; of
    a targeted attack, too, any class counts. The confidence is the mean, over these successes, of the probability of
    the class predicted then; without a value, and with a flag, if one of these is not a number from 0 to 1.

    Args:
        item: A cell with its outcomes.
    """
    if item.cell.attack != ATTACK:
        return []
    attacked = item.column("clean_prediction") == item.column("label")
    moved = attacked & ~item.correct
    n, successes = int(attacked.sum()), int(moved.sum())
    confidence = item.column("prediction_confidence")[moved].astype(np.float64)
    flags = unusable(confidence)
    known = np.minimum(confidence, 1.0) if successes and not flags else None
    rate = successes / n if n else None
    mean, interval = (None, (None, None)) if known is None else (float(known.mean()), mean_interval(known))
    of_confidence = score_of(item, "mean_confidence", mean, interval, n=successes)
    return [
        score_of(item, "any_target_success_rate", rate, proportion_interval(successes, n) if n else (None, None), n=n),
        replace(of_confidence, flags=(*of_confidence.flags, *flags, UNLIKE_THE_PAPER)),
    ]


ONE_PIXEL = CellScores(compute=one_pixel_scores, kinds=("attack",), columns=("prediction_confidence",))
