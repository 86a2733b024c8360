"""What the clean images of a benchmark say: accuracy, by class too, and what the model's confidence is worth."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from robustbench_eff.storage.outcomes import as_numpy

from .accuracy import accuracy_scores
from .build_score import score_of
from .by_class import balanced_accuracy, balanced_accuracy_interval, worst_class_accuracy, worst_class_interval
from .calibration import calibration_intervals, expected_calibration_error, rms_calibration_error
from .cue_conflict import cue_conflict_scores, has_conflict
from .real import real_scores
from .score import Score
from .selective import aurc

BY_CLASS = ("balanced_accuracy", "worst_class_accuracy")
OF_CONFIDENCE = ("expected_calibration_error", "rms_calibration_error", "aurc")


def clean_scores(cell: dict[str, Any], outcomes: pa.Table, cell_id: str = "") -> list[Score]:
    """`accuracy`, over classes `balanced_accuracy` and `worst_class_accuracy`, and of the confidence
    `expected_calibration_error`, `rms_calibration_error` and `aurc`.

    On ImageNet also accuracy by the ReaL labels; of cue-conflict images instead what they say of shape and texture.
    """
    if has_conflict(outcomes):
        return cue_conflict_scores(cell, outcomes, cell_id)
    scores = accuracy_scores(cell, outcomes, cell_id)
    if not outcomes.num_rows:
        return scores
    labels, correct = as_numpy(outcomes["label"]), as_numpy(outcomes["correct"])
    found = {
        "balanced_accuracy": (balanced_accuracy(labels, correct), balanced_accuracy_interval(labels, correct)),
        "worst_class_accuracy": (worst_class_accuracy(labels, correct).accuracy, worst_class_interval(labels, correct)),
    }
    scores += [score_of(cell, outcomes, cell_id, metric, *of) for metric, of in found.items()]
    confidence = np.minimum(as_numpy(outcomes["prediction_confidence"]), 1.0)  # a softmax may round to more
    values = (measure(confidence, correct) for measure in (expected_calibration_error, rms_calibration_error, aurc))
    intervals = calibration_intervals(confidence, correct)
    for metric, value, interval in zip(OF_CONFIDENCE, values, intervals, strict=True):
        scores.append(replace(score_of(cell, outcomes, cell_id, metric, value, interval), higher_is_better=False))
    return scores + real_scores(cell, outcomes, cell_id)
