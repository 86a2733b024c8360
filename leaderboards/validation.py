"""What is wrong with an entry: every finding names the row it is about."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from robustbench_eff.core import spec
from robustbench_eff.core.errors import SpecError

from .entry import Cell, Entry, Kind, Result, base_of
from .perturbations import as_radius, as_severity, metric_at_radius

PROPORTIONS = ("accuracy", "robust_accuracy", "robust_accuracy_8bit", "top5_accuracy")
"""Metrics that are counts of samples over all of them, with Wilson's interval."""
AT_MOST_ONE = (*PROPORTIONS, "error", "mean_accuracy", "shape_bias")
COMPARED = ("value", "low", "high", "n", "unit", "higher_is_better", "flags", "cell")
"""What outcomes give of a result."""
TOLERANCE = 1e-9
Interval = Callable[[float, int], tuple[float, float]]
"""The interval of so many successes in so many samples."""


@dataclass(frozen=True, slots=True)
class ValidationIssue:
    """Where something is wrong, and what."""

    where: str
    what: str


def problems(entry: Entry, wilson: Interval) -> list[ValidationIssue]:
    """All that can be found in the entry alone."""
    found = []
    if entry.checksum != entry.with_checksum().checksum and (entry.checksum or entry.measured):
        found.append(
            ValidationIssue("checksum", "is not that of the entry: something was changed after it was written")
        )
    if entry.measured and entry.provenance is None:
        found.append(ValidationIssue("provenance", "is missing, and there are measured results"))
    seen: Counter[tuple[Kind, str, str, str, str]] = Counter()
    clean = {
        (kind, result.benchmark, base_of(result.protocol)): result
        for kind, result in entry.results()
        if result.metric == "accuracy" and result.perturbation == "none"
    }
    for number, (kind, result) in enumerate(entry.results()):
        place = number - len(entry.measured) * (kind != "measured") - len(entry.published) * (kind == "claimed")
        where = f"{kind}[{place}] ({result.benchmark}, {result.perturbation}, {result.metric})"
        words = list(_of_result(result))
        if kind == "measured":
            words += _of_count(result, wilson)
            words += _of_cell(result, entry.provenance.cells if entry.provenance else {})
        of_clean = clean.get((kind, result.benchmark, base_of(result.protocol)))
        if result.metric.startswith("robust_accuracy") and _more(result, of_clean):
            words.append(f"robust accuracy {result.value} is above the clean {of_clean and of_clean.value}")
        if kind != "claimed":
            key = (kind, result.benchmark, result.perturbation, result.metric, result.protocol)
            seen[key] += 1
            if seen[key] == 2:
                words.append("stands here twice, under one protocol")
        found += [ValidationIssue(where, text) for text in words]
    return found


def repeated(entries: Sequence[Entry]) -> list[ValidationIssue]:
    """Models with more than one entry."""
    counts = Counter(entry.model for entry in entries)
    return [ValidationIssue(model, f"has {count} entries") for model, count in counts.items() if count > 1]


def differences(entry: Entry, again: Entry | None) -> list[ValidationIssue]:
    """Where what was measured is not what the outcomes give, of which `again` was made.

    Versions, hardware, and what others say of the model are taken as they are.
    """
    if again is None or again.provenance is None:
        return [ValidationIssue(entry.model, "has no outcomes in the store")]
    found = []
    if entry.provenance is not None:
        for name in ("source", "weights", "preprocessing"):
            here, there = getattr(entry.provenance, name), getattr(again.provenance, name)
            if here != there:
                found.append(ValidationIssue(f"provenance.{name}", f"is {here}, the store says {there}"))
        for cell_id, cell in entry.provenance.cells.items():
            if again.provenance.cells.get(cell_id) != cell:
                found.append(ValidationIssue(f"provenance.cells.{cell_id}", "the store holds other outcomes, or none"))
    if set(entry.checks) != set(again.checks):
        odd = sorted({check.check for check in set(entry.checks) ^ set(again.checks)})
        found.append(
            ValidationIssue("checks", f"{', '.join(odd)}: the outcomes give another finding or other evidence")
        )
    scored = {_key(result): result for result in again.measured}
    for number, result in enumerate(entry.measured):
        where = f"measured[{number}] ({result.benchmark}, {result.perturbation}, {result.metric})"
        other_result = scored.pop(_key(result), None)
        if other_result is None:
            found.append(ValidationIssue(where, "does not follow from the outcomes"))
        else:
            said = [(name, getattr(result, name), getattr(other_result, name)) for name in COMPARED]
            found += [
                ValidationIssue(where, f"{name} is {here}, the outcomes give {there}")
                for name, here, there in said
                if not _same(here, there)
            ]
    found += [ValidationIssue(f"({', '.join(key[:3])})", "follows from the outcomes and is missing") for key in scored]
    return found


def _of_result(result: Result) -> Iterator[str]:
    value = result.value
    if (result.low is None) != (result.high is None):
        yield "has one end of an interval only"
    if value is None:
        return
    if result.unit == "fraction" and value < 0 and not result.metric.endswith(("delta", "improvement", "robustness")):
        yield f"value {value} is below 0"
    if result.metric in AT_MOST_ONE and value > 1:
        yield f"value {value} is above 1: fractions are wanted, not percent"
    if (
        result.low is not None
        and result.high is not None
        and not result.low - TOLERANCE <= value <= result.high + TOLERANCE
    ):
        yield f"value {value} lies outside its interval [{result.low}, {result.high}]"
    if result.n == 0:
        yield "has a value, and stands on no sample"
    yield from _of_change(result)


def _of_count(result: Result, wilson: Interval) -> Iterator[str]:
    """A proportion that was measured is a count of its samples, and has Wilson's interval."""
    value, n = result.value, result.n
    if result.metric not in PROPORTIONS or value is None or n == 0:
        return
    if n is None:
        yield "does not say on how many samples it stands"
    elif abs(value * n - round(value * n)) > 1e-6:
        yield f"value {value} is no count of {n} samples"
    elif not 0 <= value <= 1 or not _is_interval(result, wilson(round(value * n), n)):
        yield f"the interval of {value} with n = {n} is another than [{result.low}, {result.high}]"
    if not result.cell and not result.perturbation.startswith("worst of "):
        yield "does not say from which cell it was computed"


def _of_change(result: Result) -> Iterator[str]:
    """Whether severity and radius are such as plots and tables can place."""
    if result.metric.startswith("robust_accuracy@") and metric_at_radius(result.metric) is None:
        yield "the metric's radius must be a finite number above 0, such as robust_accuracy@4/255"
    if not any(name in result.perturbation for name in ("eps", "severity=")):
        return
    try:
        arguments = spec.parse(result.perturbation.partition(" from ")[0]).arguments
    except SpecError as error:
        yield f"the perturbation cannot be read: {error.message}"
        return
    eps, severity = arguments.get("eps", 1), arguments.get("severity", 1)
    if any(as_radius(one) is None for one in (eps if isinstance(eps, tuple) else (eps,))):
        yield f"eps must be a finite number above 0, such as 4/255, got {eps!r}"
    if as_severity(severity) is None:
        yield f"severity must be a whole number from 1 to 5, got {severity!r}"


def _of_cell(result: Result, cells: dict[str, Cell]) -> Iterator[str]:
    if not result.cell:
        return
    cell = cells.get(result.cell)
    if cell is None:
        yield f"its cell {result.cell} is not among those of the provenance"
    elif (cell.benchmark, cell.perturbation) != (result.benchmark, result.perturbation):
        yield f"its cell {result.cell} is of {cell.benchmark}, {cell.perturbation}"
    elif result.metric in PROPORTIONS and result.n != cell.samples:
        yield f"n is {result.n}, its cell has {cell.samples} samples"


def _is_interval(result: Result, ends: tuple[float, float]) -> bool:
    return _same(result.low, ends[0]) and _same(result.high, ends[1])


def _more(result: Result, clean: Result | None) -> bool:
    return (
        clean is not None
        and clean.value is not None
        and result.value is not None
        and result.value > clean.value + TOLERANCE
    )


def _key(result: Result) -> tuple[str, str, str, str]:
    return result.benchmark, result.perturbation, result.metric, result.protocol


def _same(here: object, there: object) -> bool:
    if isinstance(here, float) and isinstance(there, float):
        return math.isclose(here, there, rel_tol=0, abs_tol=TOLERANCE)
    return here == there
