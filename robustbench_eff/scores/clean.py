"""Scores of clean images besides accuracy: calibration of the model's confidence, and its use for abstaining."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .build_score import score_of
from .calibration import calibration_intervals, expected_calibration_error, rms_calibration_error
from .cell_groups import CellOutcomes
from .confidences import unusable
from .score import Score
from .score_function import CellScores
from .selective import aurc

CONFIDENCE_METRICS = ("expected_calibration_error", "rms_calibration_error", "aurc")


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


CONFIDENCE = CellScores(compute=confidence_scores, kinds=("clean",), columns=("prediction_confidence",))
