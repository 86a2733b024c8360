"""The columns of the CSV files of accuracies by class and of the confusion of classes."""

from __future__ import annotations

BY_CLASS = (
    "model",
    "benchmark",
    "perturbation",
    "class",
    "name",
    "n",
    "right_clean",
    "right",
    "accuracy",
    "low",
    "high",
    "most_frequent_wrong",
    "wrong_name",
    "wrong_count",
    "protocol",
    "flags",
)
"""Columns of the file of accuracies by class, in their order."""
CONFUSION = (
    "model",
    "benchmark",
    "perturbation",
    "class",
    "name",
    "predicted",
    "predicted_name",
    "count",
    "protocol",
    "flags",
)
"""Columns of the file of the confusion of classes, in their order."""
