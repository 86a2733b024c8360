"""Metrics by the name of a score, including those of plugins."""

from __future__ import annotations

from functools import cache
from typing import Any

from robustbench_eff.core.errors import UsageError
from robustbench_eff.core.metric import METRICS, Metric
from robustbench_eff.core.metric import metric_of as known_metric

from .plugins import leave_out
from .scores import SCORES


def metric_of(name: str) -> Metric:
    """Return the metric that a score's name stands for.

    Args:
        name: Name of a score with its arguments, such as `robust_accuracy@8/255`.

    Raises:
        UsageError: No metric of the package or of an installed plugin has this name.
    """
    metric = find_metric(name)
    if metric is None:
        raise UsageError(f"{name} is not a metric.", "Install the plugin that computes it, or list it in `metrics`.")
    return metric


def find_metric(name: str) -> Metric | None:
    """Return the metric that a score's name stands for, or None if there is none.

    Args:
        name: Name of a score with its arguments.
    """
    return known_metric(name) or known_metric(name, plugin_metrics())


@cache
def plugin_metrics() -> tuple[Metric, ...]:
    """Return the metrics that the score functions of plugins declare."""
    functions = [function for name, function in score_functions() if name not in SCORES.own]
    return tuple(metric for function in functions for metric in function.metrics)


@cache
def score_functions() -> tuple[tuple[str, Any], ...]:
    """Return the score functions by name; a plugin that cannot be used is left out with a warning.

    A metric of a plugin must be named `vendor/name`.
    """
    usable = []
    for name, function in SCORES.loaded():
        wrong = [metric.name for metric in function.metrics if "/" not in metric.name or metric.name in METRICS]
        if wrong and name not in SCORES.own:
            leave_out(UsageError(f"Plugin {name!r}: its metric {wrong[0]!r} must be named vendor/name."))
        else:
            usable.append((name, function))
    return tuple(usable)
