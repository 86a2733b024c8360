"""Scores of clean images besides accuracy: accuracy by class, and calibration of the model's confidence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .build_score import score_of
from .by_class import balanced_accuracy, balanced_accuracy_interval, worst_class_accuracy, worst_class_interval
from .calibration import calibration_intervals, expected_calibration_error, rms_calibration_error
from .cell_groups import CellOutcomes
from .confidences import unusable
from .score import Score
from .score_function import CellScores
from .selective import aurc

CONFIDENCE_METRICS = ("expected_calibration_error", "rms_calibration_error", "aurc")


def class_scores(item: CellOutcomes) -> list[Score]:
    """Return `balanced_accuracy` and `worst_class_accuracy` of a cell; nothing without samples.

    Args:
        item: A clean cell with its outcomes.
    """
    if not len(item):
        return []
    labels, correct = item.column("label"), item.right_shares
    worst = worst_class_accuracy(labels, correct).accuracy
    return [
        score_of(
            item, "balanced_accuracy", balanced_accuracy(labels, correct), balanced_accuracy_interval(labels, correct)
        ),
        score_of(item, "worst_class_accuracy", worst, worst_class_interval(labels, correct)),
    ]


def confidence_scores(item: CellOutcomes) -> list[Score]:
    """Return `expected_calibration_error`, `rms_calibration_error` and `aurc` of a cell; nothing without samples.

    Of several votes they are those of the most frequent prediction, with its mean probability for confidence. If some
    confidence is not a number from 0 to 1, they have no values, and a flag says how many samples that are.

    Args:
        item: A clean cell with its outcomes.
    """
    if not len(item):
        return []
    correct, confidence = item.correct, item.column("prediction_confidence")
    if flags := unusable(confidence):
        unknown = [score_of(item, metric, None, (None, None)) for metric in CONFIDENCE_METRICS]
        return [replace(score, flags=(*score.flags, *flags)) for score in unknown]
    confidence = np.minimum(confidence, 1.0)
    values = (measure(confidence, correct) for measure in (expected_calibration_error, rms_calibration_error, aurc))
    intervals = calibration_intervals(confidence, correct)
    return [
        score_of(item, metric, value, interval)
        for metric, value, interval in zip(CONFIDENCE_METRICS, values, intervals, strict=True)
    ]


BY_CLASS = CellScores(compute=class_scores, kinds=("clean",))
CONFIDENCE = CellScores(compute=confidence_scores, kinds=("clean",), columns=("prediction_confidence",))
