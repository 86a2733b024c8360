"""Metrics by where their numbers come from."""

from __future__ import annotations

WITH_PEOPLE = frozenset({"error_consistency"})
"""Metrics that need a file of people's trials besides a store, and so are not in an entry."""
PUBLISHED_ONLY = frozenset(
    {
        "accuracy_difference",
        "ap",
        "ap_delta",
        "error",
        "linear_top1",
        "mCE_3D",
        "map",
        "map_delta",
        "mce_improvement",
        "mean_rank",
        "observed_consistency",
        "ood_accuracy_fraction",
        "robust_top1_delta",
        "top1_delta",
        "top5_accuracy",
        "zero_shot_top1",
    }
)
"""Metrics that only published tables hold."""
