"""Scores of clean images besides accuracy: calibration of the model's confidence, and its use for abstaining."""

from __future__ import annotations

import numpy as np

from .build_score import score_of
from .calibration import calibration_intervals, expected_calibration_error, rms_calibration_error
from .cell_groups import CellOutcomes
from .score import Score
from .score_function import CellScores
from .selective import aurc

CONFIDENCE_METRICS = ("expected_calibration_error", "rms_calibration_error", "aurc")


def confidence_scores(item: CellOutcomes) -> list[Score]:
    """Return `expected_calibration_error`, `rms_calibration_error` and `aurc` of a cell; nothing without samples.

    Of several votes they are those of the most frequent prediction, with its mean probability for confidence.

    Args:
        item: A clean cell with its outcomes.
    """
    if not len(item):
        return []
    correct = item.correct
    confidence = np.minimum(item.column("prediction_confidence"), 1.0)  # a softmax may round to more
    values = (measure(confidence, correct) for measure in (expected_calibration_error, rms_calibration_error, aurc))
    intervals = calibration_intervals(confidence, correct)
    return [
        score_of(item, metric, value, interval)
        for metric, value, interval in zip(CONFIDENCE_METRICS, values, intervals, strict=True)
    ]


CONFIDENCE = CellScores(compute=confidence_scores, kinds=("clean",), columns=("prediction_confidence",))
