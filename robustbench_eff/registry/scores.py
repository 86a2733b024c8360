"""The table of score functions, in the order in which their scores are listed."""

from __future__ import annotations

from .table import Row, Table

SCORES = Table(
    "score",
    "robustbench_eff.scores",
    {
        "accuracy": Row("robustbench_eff.scores.accuracy:CLEAN_ACCURACY", "accuracy on clean and corrupted images"),
        "robust_accuracy": Row("robustbench_eff.scores.accuracy:ROBUST_ACCURACY", "accuracy under one attack"),
        "one_pixel": Row("robustbench_eff.scores.one_pixel:ONE_PIXEL", "success rate and confidence of one_pixel"),
        "by_class": Row(
            "robustbench_eff.scores.class_scores:BY_CLASS", "balanced and worst-class accuracy, clean and under attack"
        ),
        "confidence": Row("robustbench_eff.scores.clean:CONFIDENCE", "calibration errors and AURC"),
        "real_labels": Row("robustbench_eff.scores.real_labels:REAL_LABELS", "ImageNet accuracy by the ReaL labels"),
        "cue_conflict": Row("robustbench_eff.scores.cue_conflict:CUE_CONFLICT", "shape bias"),
        "stability": Row("robustbench_eff.scores.sequences:STABILITY", "flip probability and top-5 distance"),
        "certificates": Row("robustbench_eff.scores.certificates:CERTIFICATES", "certified accuracy and radius"),
        "distance": Row("robustbench_eff.scores.distances:DISTANCE", "median distance, and security curves"),
        "effective_robustness": Row(
            "robustbench_eff.scores.effective:EFFECTIVE_ROBUSTNESS", "accuracy beyond what clean accuracy predicts"
        ),
        "worst_case": Row("robustbench_eff.scores.worst_case:WORST_CASE", "accuracy under several attacks together"),
        "worst_case_by_class": Row(
            "robustbench_eff.scores.worst_case:WORST_CASE_BY_CLASS", "the same by class: the mean and the worst"
        ),
        "corruption_error": Row("robustbench_eff.scores.corruptions:CORRUPTION_ERROR", "mCE and mean accuracy"),
        "flip_rate": Row("robustbench_eff.scores.sequences:FLIP_RATE", "mFR, mT5D and means over sequences"),
    },
    needs=("compute", "kinds", "columns", "metrics"),
)
