"""Metrics by the name of a score, including those of plugins."""

from __future__ import annotations

from functools import cache

from robustbench_eff.core.errors import UsageError
from robustbench_eff.core.metric import METRICS, Metric
from robustbench_eff.core.metric import metric_of as known_metric

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
    """Return the metrics that the score functions of plugins declare.

    Raises:
        UsageError: A metric of a plugin is not named `vendor/name`.
    """
    functions = {name: row.load() for name, row in SCORES.items() if name not in SCORES.own}
    for name, function in functions.items():
        for metric in function.metrics:
            if "/" not in metric.name or metric.name in METRICS:
                raise UsageError(f"Plugin {name!r}: its metric {metric.name!r} must be named vendor/name.")
    return tuple(metric for function in functions.values() for metric in function.metrics)
