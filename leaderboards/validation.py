"""What is wrong with an entry: every issue names the row that it is about."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from robustbench_eff.core import spec
from robustbench_eff.core.errors import SpecError
from robustbench_eff.core.metric import Metric
from robustbench_eff.core.protocol import Protocol

from .curves import CleanKey
from .entry import Cell, Entry, Kind, Result
from .perturbations import as_radius, as_severity, metric_at_radius

COMPARED = ("value", "low", "high", "n", "unit", "higher_is_better", "flags", "cell")
"""Fields of a result that follow from the outcomes."""
TOLERANCE = 1e-9
UNION = "worst of "
"""How the perturbation of a number under the worst of several attacks begins."""
Interval = Callable[[float, int], tuple[float, float]]
"""Returns the 95 % interval of a proportion, given the number of successes and of samples."""
MetricLookup = Callable[[str], Metric | None]
"""Returns the metric that the name of a score stands for; None for an unknown name."""


@dataclass(frozen=True, slots=True)
class ValidationIssue:
    """Something that is wrong, and where."""

    where: str
    what: str


class _Key(NamedTuple):
    """What identifies a result within an entry."""

    benchmark: str
    perturbation: str
    metric: str
    protocol: Protocol


def problems(entry: Entry, interval_of: Interval, metric_of: MetricLookup) -> list[ValidationIssue]:
    """Return everything wrong with an entry that shows without its outcomes.

    Args:
        entry: The entry.
        interval_of: Returns the interval that measured proportions must have.
        metric_of: Looks up metrics, those of plugins included.
    """
    issues = _entry_issues(entry)
    counts: Counter[tuple[Kind, _Key]] = Counter()
    clean = _clean_results(entry)
    for number, (kind, result) in enumerate(entry.results()):
        metric = metric_of(result.metric)
        messages = [*_metric_issues(result, metric, kind), *_value_issues(result), *_strength_issues(result)]
        if kind == "measured":
            messages += _count_issues(result, metric, interval_of)
            messages += _cell_issues(result, metric, entry.provenance.cells if entry.provenance else {})
        clean_result = clean.get(_clean_key(kind, result))
        votes_differ = _has_votes(result) and clean_result is not None and _is_within(result.value, clean_result)
        if result.metric.startswith("robust_accuracy") and _is_greater(result, clean_result) and not votes_differ:
            messages.append(f"robust accuracy {result.value} is above the clean {clean_result and clean_result.value}")
        if kind != "claimed":
            counts[kind, _key(result)] += 1
            if counts[kind, _key(result)] == 2:
                messages.append("appears twice under one protocol")
        index = number - len(entry.measured) * (kind != "measured") - len(entry.published) * (kind == "claimed")
        where = f"{kind}[{index}] ({result.benchmark}, {result.perturbation}, {result.metric})"
        issues += [ValidationIssue(where, message) for message in messages]
    return issues


def repeated(entries: Sequence[Entry]) -> list[ValidationIssue]:
    """Return an issue for every model with more than one entry.

    Args:
        entries: All entries of a leaderboard.
    """
    counts = Counter(entry.model for entry in entries)
    return [ValidationIssue(model, f"has {count} entries") for model, count in counts.items() if count > 1]


def differences(entry: Entry, recomputed: Entry | None) -> list[ValidationIssue]:
    """Return where the measured part of an entry does not follow from the outcomes.

    Versions, hardware, published and claimed results are not compared.

    Args:
        entry: The entry.
        recomputed: Entry of the same model made from the stored outcomes; None if the store does not hold the model.
    """
    if recomputed is None or recomputed.provenance is None:
        return [ValidationIssue(entry.model, "does not have outcomes in the store")]
    issues = _provenance_differences(entry, recomputed)
    if set(entry.checks) != set(recomputed.checks):
        names = sorted({check.check for check in set(entry.checks) ^ set(recomputed.checks)})
        issues.append(
            ValidationIssue("checks", f"{', '.join(names)}: the outcomes give another finding or other evidence")
        )
    scored = {_key(result): result for result in recomputed.measured}
    for index, result in enumerate(entry.measured):
        where = f"measured[{index}] ({result.benchmark}, {result.perturbation}, {result.metric})"
        expected = scored.pop(_key(result), None)
        if expected is None:
            issues.append(ValidationIssue(where, "does not follow from the outcomes"))
            continue
        for name in COMPARED:
            value, from_outcomes = getattr(result, name), getattr(expected, name)
            if not _is_same(value, from_outcomes):
                issues.append(ValidationIssue(where, f"{name} is {value}, the outcomes give {from_outcomes}"))
    issues += [ValidationIssue(f"({', '.join(key[:3])})", "follows from the outcomes and is missing") for key in scored]
    return issues


def _entry_issues(entry: Entry) -> list[ValidationIssue]:
    """Return what is wrong with the entry as a whole."""
    issues = []
    if entry.checksum != entry.with_checksum().checksum and (entry.checksum or entry.measured):
        issues.append(
            ValidationIssue("checksum", "does not match the entry, which was changed after it had been written")
        )
    if entry.measured and entry.provenance is None:
        issues.append(ValidationIssue("provenance", "is missing, although there are measured results"))
    return issues


def _clean_results(entry: Entry) -> dict[CleanKey, Result]:
    """Return the clean accuracies by the benchmark's own labels; of several for one key the last."""
    return {
        _clean_key(kind, result): result
        for kind, result in entry.results()
        if result.metric == "accuracy" and result.perturbation == "none" and not result.protocol.labels
    }


def _clean_key(kind: Kind, result: Result) -> CleanKey:
    return CleanKey(kind, result.protocol.of_images(), result.benchmark)


def _provenance_differences(entry: Entry, recomputed: Entry) -> list[ValidationIssue]:
    if entry.provenance is None or recomputed.provenance is None:
        return []
    issues = []
    for name in ("source", "weights", "preprocessing"):
        value, from_store = getattr(entry.provenance, name), getattr(recomputed.provenance, name)
        if value != from_store:
            issues.append(ValidationIssue(f"provenance.{name}", f"is {value}, the store has {from_store}"))
    for cell_id, cell in entry.provenance.cells.items():
        if recomputed.provenance.cells.get(cell_id) != cell:
            issues.append(ValidationIssue(f"provenance.cells.{cell_id}", "the store holds other outcomes, or none"))
    return issues


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
    if result.value is None:
        return
    if metric.low is not None and result.value < metric.low - TOLERANCE:
        yield f"value {result.value} is below {metric.low:g}"
    if metric.high is not None and result.value > metric.high + TOLERANCE:
        percent = ": expected a fraction, not percent" if metric.unit == "fraction" else ""
        yield f"value {result.value} is above {metric.high:g}{percent}"


def _value_issues(result: Result) -> Iterator[str]:
    """Yield what contradicts the interval or the number of samples."""
    if (result.low is None) != (result.high is None):
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


def _count_issues(result: Result, metric: Metric | None, interval_of: Interval) -> Iterator[str]:
    """Yield what is wrong with a measured proportion, a count of its samples with the exact interval."""
    value, n = result.value, result.n
    if metric is None or not metric.is_proportion or value is None or n == 0:
        return
    if n is None:
        yield "does not give the number of samples"
    elif not _has_votes(result) and abs(value * n - round(value * n)) > 1e-6:
        yield f"value {value} is not a count of {n} samples"
    elif not 0 <= value <= 1 or not _has_interval(result, interval_of(_count(result, value * n), n)):
        yield f"the interval of {value} with n = {n} is not [{result.low}, {result.high}]"
    if not result.cell and not result.perturbation.startswith(UNION):
        yield "does not name the cell from which it was computed"


def _has_votes(result: Result) -> bool:
    """Return whether a result is a mean of votes, so that it need not be a whole number of samples."""
    return any(flag.startswith("draws at random: ") and flag.endswith("votes per image") for flag in result.flags)


def _count(result: Result, number: float) -> float:
    return number if _has_votes(result) else round(number)


def _strength_issues(result: Result) -> Iterator[str]:
    """Yield severities and radii that tables and plots cannot place."""
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
    if any(as_radius(radius) is None for radius in (eps if isinstance(eps, tuple) else (eps,))):
        yield f"eps must be a finite number above 0, such as 4/255, got {eps!r}"
    if as_severity(severity) is None:
        yield f"severity must be an integer from 1 to 5, got {severity!r}"


def _cell_issues(result: Result, metric: Metric | None, cells: dict[str, Cell]) -> Iterator[str]:
    if not result.cell:
        return
    cell = cells.get(result.cell)
    if cell is None:
        yield f"its cell {result.cell} is not among the cells of the provenance"
    elif (cell.benchmark, cell.perturbation) != (result.benchmark, result.perturbation):
        yield f"its cell {result.cell} belongs to {cell.benchmark}, {cell.perturbation}"
    elif metric is not None and metric.is_proportion and not _counts_samples_of(result, cell):
        yield f"n is {result.n}, its cell has {cell.samples} samples"


def _counts_samples_of(result: Result, cell: Cell) -> bool:
    """Return whether n is that of the cell; labels other than the benchmark's may leave out samples."""
    return result.n == cell.samples or (bool(result.protocol.labels) and (result.n or 0) < cell.samples)


def _has_interval(result: Result, interval: tuple[float, float]) -> bool:
    return _is_same(result.low, interval[0]) and _is_same(result.high, interval[1])


def _is_within(value: float | None, other: Result) -> bool:
    return value is not None and other.low is not None and other.high is not None and other.low <= value <= other.high


def _is_greater(result: Result, clean: Result | None) -> bool:
    return (
        clean is not None
        and clean.value is not None
        and result.value is not None
        and result.value > clean.value + TOLERANCE
    )


def _key(result: Result) -> _Key:
    return _Key(result.benchmark, result.perturbation, result.metric, result.protocol)


def _is_same(first: object, second: object) -> bool:
    if isinstance(first, float) and isinstance(second, float):
        return math.isclose(first, second, rel_tol=0, abs_tol=TOLERANCE)
    return first == second
