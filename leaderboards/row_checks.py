"""Checks of one result of an entry, alone and against its cell."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping

from robustbench_eff.core import spec
from robustbench_eff.core.errors import SpecError
from robustbench_eff.core.metric import Metric

from .entry import Cell, Kind, Result
from .perturbations import as_radius, as_severity, metric_at_radius

TOLERANCE = 1e-9
FLOAT32 = 1e-6
"""Relative error of a distance that was computed in float32."""
UNION = "worst of "
"""How the perturbation of a number under the worst of several attacks begins."""
Interval = Callable[[float, int], tuple[float, float]]
"""Returns the 95 % interval of a proportion, given the number of successes and of samples."""
_SEVERAL_ORDERS = re.compile(r", in \d+ .*orders\b")


def row_issues(kind: Kind, result: Result, metric: Metric | None, *, has_open_ends: bool) -> Iterator[str]:
    """Yield what a result contradicts by itself: its metric, its interval, and severities and radii that plots place.

    Args:
        kind: Kind of the result.
        result: The result.
        metric: Its metric; None for an unknown one.
        has_open_ends: Whether an infinite end of an interval of distances is null, as in entries of format 1.
    """
    yield from _metric_issues(result, metric, kind)
    yield from _value_issues(result, may_be_open=has_open_ends and _is_distance(metric))
    yield from _search_issues(result, metric)
    yield from _strength_issues(result, metric)


def measured_issues(
    result: Result, metric: Metric | None, cells: Mapping[str, Cell], interval_of: Interval
) -> Iterator[str]:
    """Yield what a measured result contradicts of its counts and its cell.

    Args:
        result: The result.
        metric: Its metric; None for an unknown one.
        cells: Cells of the entry by id.
        interval_of: Returns the interval that proportions must have.
    """
    yield from _count_issues(result, metric, interval_of)
    yield from _cell_issues(result, metric, cells)


def has_votes(result: Result) -> bool:
    """Return whether a result is a mean of votes, so that it need not be a whole number of samples.

    Args:
        result: The result.
    """
    return any(flag.startswith("draws at random: ") and flag.endswith("votes per image") for flag in result.flags)


def is_same(first: object, second: object) -> bool:
    """Return whether two values of a field are equal, numbers up to TOLERANCE.

    Args:
        first: One value.
        second: The other.
    """
    if isinstance(first, float) and isinstance(second, float):
        return math.isclose(first, second, rel_tol=0, abs_tol=TOLERANCE)
    return first == second


def _metric_issues(result: Result, metric: Metric | None, kind: Kind) -> Iterator[str]:
    """Yield what contradicts the metric: unit, direction and bounds. Others may publish metrics unknown here."""
    if metric is None:
        if kind == "measured":
            yield f"metric {result.metric} is unknown: install the plugin that computes it"
        return
    if result.unit != metric.unit:
        yield f"unit is {result.unit}, expected {metric.unit} for {metric.name}"
    if result.higher_is_better != metric.higher_is_better:
        yield f"higher_is_better is {result.higher_is_better}, expected {metric.higher_is_better} for {metric.name}"
    for name in ("value", "low", "high"):
        number = getattr(result, name)
        if number is not None:
            yield from _bound_issues(name, number, metric)


def _bound_issues(name: str, number: float, metric: Metric) -> Iterator[str]:
    """Yield what contradicts the bounds of the metric in a value or in an end of its interval."""
    is_percent = name == "value" and metric.unit == "fraction"
    if metric.low is not None and number < metric.low - TOLERANCE:
        yield f"{name} {number} is below {metric.low:g}"
    elif metric.high is not None and number > metric.high + TOLERANCE:
        yield f"{name} {number} is above {metric.high:g}{': expected a fraction, not percent' if is_percent else ''}"
    elif math.isinf(number) and not _is_distance(metric):
        yield f"{name} is infinite, which only distances may be"


def _value_issues(result: Result, *, may_be_open: bool) -> Iterator[str]:
    """Yield what contradicts the interval or the number of samples."""
    if (result.low is None) != (result.high is None) and not may_be_open:
        yield "has only one end of an interval"
    if result.value is None:
        return
    if (
        result.low is not None
        and result.high is not None
        and not result.low - TOLERANCE <= result.value <= result.high + TOLERANCE
    ):
        yield f"value {result.value} lies outside its interval [{result.low}, {result.high}]"
    if result.n == 0:
        yield "has a value although n is 0"


def _is_distance(metric: Metric | None) -> bool:
    return metric is not None and metric.section == "distance"


def _search_issues(result: Result, metric: Metric | None) -> Iterator[str]:
    """Yield what contradicts the limit of a search."""
    if result.searched_to is None:
        return
    if metric is not None and not _is_distance(metric):
        yield "has the limit of a search, which only distances have"
    numbers = [number for number in (result.value, result.low, result.high) if number is not None]
    above = [number for number in numbers if result.searched_to * (1 + FLOAT32) < number < math.inf]
    if above:
        yield f"{above[0]} is above {result.searched_to}, the limit of the search"


def _count_issues(result: Result, metric: Metric | None, interval_of: Interval) -> Iterator[str]:
    """Yield what is wrong with a measured proportion, a count of its samples with the exact interval."""
    value, n = result.value, result.n
    if metric is None or not metric.is_proportion or value is None or n == 0:
        return
    over_orders = _SEVERAL_ORDERS.search(result.protocol.stream) is not None and metric.name == "accuracy"
    is_mean = over_orders or has_votes(result)
    if n is None:
        yield "does not give the number of samples"
    elif not 0 <= value <= 1:
        yield f"the interval of {value} with n = {n} is not [{result.low}, {result.high}]"
    elif not is_mean and abs(value * n - round(value * n)) > 1e-6:
        yield f"value {value} is not a count of {n} samples"
    else:
        low, high = interval_of(value * n if is_mean else round(value * n), n)
        is_right = is_same(result.low, low) and is_same(result.high, high)
        if not is_right and not (over_orders and _contains(result, low, high)):
            yield f"the interval of {value} with n = {n} is not [{result.low}, {result.high}]"
    if not result.cell and not result.perturbation.startswith(UNION):
        yield "does not name the cell from which it was computed"


def _contains(result: Result, low: float, high: float) -> bool:
    """Return whether an interval over several orders contains that over samples alone."""
    if result.low is None or result.high is None:
        return False
    return result.low <= low + TOLERANCE and high - TOLERANCE <= result.high


def _strength_issues(result: Result, metric: Metric | None) -> Iterator[str]:
    """Yield severities and radii that tables and plots cannot place; a search for the closest image may have none."""
    if result.value is None:
        return
    if result.metric.startswith("robust_accuracy@") and metric_at_radius(result.metric) is None:
        yield "the metric's radius must be a finite number above 0, such as robust_accuracy@4/255"
    if not any(name in result.perturbation for name in ("eps", "severity=")) or result.perturbation.startswith(UNION):
        return
    try:
        arguments = spec.parse(re.split(" from | on ", result.perturbation)[0]).arguments
    except SpecError as error:
        yield f"the perturbation cannot be read: {error.message}"
        return
    eps, severity = arguments.get("eps", 1), arguments.get("severity", 1)
    is_anywhere = eps is None and _is_distance(metric)
    if not is_anywhere and any(as_radius(radius) is None for radius in (eps if isinstance(eps, tuple) else (eps,))):
        yield f"eps must be a finite number above 0, such as 4/255, got {eps!r}"
    if as_severity(severity) is None:
        yield f"severity must be an integer from 1 to 5, got {severity!r}"


def _cell_issues(result: Result, metric: Metric | None, cells: Mapping[str, Cell]) -> Iterator[str]:
    if not result.cell:
        return
    cell = cells.get(result.cell)
    if cell is None:
        yield f"its cell {result.cell} is not among the cells of the provenance"
    elif cell.perturbation != result.perturbation or not _is_on(result, cell.benchmark):
        yield f"its cell {result.cell} belongs to {cell.benchmark}, {cell.perturbation}"
    elif metric is not None and metric.is_proportion and not _counts_samples_of(result, cell):
        yield f"n is {result.n}, its cell has {cell.samples} samples"


def _is_on(result: Result, benchmark: str) -> bool:
    """Return whether a result is on the benchmark of its cell; other labels give it another name: `imagenet-real`."""
    return result.benchmark == benchmark or (
        bool(result.protocol.labels) and result.benchmark.startswith(f"{benchmark}-")
    )


def _counts_samples_of(result: Result, cell: Cell) -> bool:
    """Return whether n is that of the cell; labels other than the benchmark's may leave out samples."""
    return result.n == cell.samples or (bool(result.protocol.labels) and (result.n or 0) < cell.samples)
