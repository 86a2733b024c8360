"""Read files of other projects, and the numbers in them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from robustbench_eff.core.errors import EntryError
from robustbench_eff.core.metric import METRICS
from robustbench_eff.core.outside_files import read_json, read_text
from robustbench_eff.core.protocol import Protocol

from .entry import Result
from .published_names import name_of


def published_result(benchmark: str, published_metric: str, value: Any, path: Path, source: str) -> Result:
    """Return a number of a file in percent as a result.

    Args:
        benchmark: Published name of the benchmark.
        published_metric: Published name of the metric.
        value: The number, possibly as text.
        path: The file.
        source: Protocol of the number.

    Raises:
        EntryError: The value is not a number, or lies outside the bounds of its metric.
    """
    name = name_of(benchmark, published_metric, source)
    metric = METRICS[name.metric]
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise EntryError(f"{path}: {published_metric} is {str(value)[:100]!r}, expected a number.") from error
    if not 0 <= number <= (math.inf if metric.high is None else 100 * metric.high) or math.isinf(number):
        raise EntryError(f"{path}: {published_metric} is {value!r}, expected a percentage.")
    return Result(
        benchmark=name.benchmark,
        perturbation=name.perturbation,
        metric=name.metric,
        value=number / 100,
        protocol=Protocol(description=source),
        higher_is_better=metric.higher_is_better,
        source=path.name,
    )


def json_of(path: Path) -> Any:
    """Return the content of a JSON file.

    Args:
        path: The file.

    Raises:
        EntryError: The file cannot be read or is not JSON.
    """
    return read_json(path, EntryError)


def text_of(path: Path) -> str:
    """Return the content of a file in UTF-8.

    Args:
        path: The file.

    Raises:
        EntryError: The file cannot be read or is not UTF-8.
    """
    return read_text(path, EntryError)
