"""What is wrong with an entry: every issue names the row that it is about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from robustbench_eff.core.metric import Metric
from robustbench_eff.core.protocol import Protocol

from .curves import CleanKey
from .earlier_format import as_format_1, is_compared, wilson_interval
from .entry import Entry, Kind, Result
from .row_checks import TOLERANCE, UNION, Interval, has_votes, is_same, measured_issues, row_issues

COMPARED = ("value", "low", "high", "searched_to", "n", "unit", "higher_is_better", "flags", "cell", "detail")
"""Fields of a result that follow from the outcomes."""
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
        interval_of: Returns the interval that measured proportions must have; those of format 1 have Wilson's.
        metric_of: Looks up metrics, those of plugins included.
    """
    issues = _entry_issues(entry)
    counts: Counter[tuple[Kind, _Key]] = Counter()
    clean = _clean_results(entry)
    for number, (kind, result) in enumerate(entry.results()):
        metric = metric_of(result.metric)
        messages = [*row_issues(kind, result, metric, has_open_ends=entry.format == 1)]
        if kind == "measured":
            cells = entry.provenance.cells if entry.provenance else {}
            messages += measured_issues(result, metric, cells, wilson_interval if entry.format == 1 else interval_of)
        clean_result = clean.get(_clean_key(kind, result))
        votes_differ = has_votes(result) and clean_result is not None and _is_within(result.value, clean_result)
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

    Versions, hardware, published and claimed results are not compared; of an entry of format 1 neither is what earlier
    versions computed otherwise: intervals, flags of several cells, and attacks that are not taken together today.

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
    present = recomputed.measured
    if entry.format == 1:
        present = tuple(result for of_today in present if (result := as_format_1(of_today)) is not None)
    scored = {_key(result): result for result in present}
    for index, result in enumerate(entry.measured):
        where = f"measured[{index}] ({result.benchmark}, {result.perturbation}, {result.metric})"
        expected = scored.pop(_key(result), None)
        if expected is None and entry.format == 1 and result.perturbation.startswith(UNION):
            continue  # other attacks were taken together then
        if expected is None:
            issues.append(ValidationIssue(where, "does not follow from the outcomes"))
            continue
        issues += [ValidationIssue(where, what) for what in _changed(result, expected, entry.format)]
    issues += [
        ValidationIssue(f"({', '.join(key[:3])})", "follows from the outcomes and is missing")
        for key in scored
        if entry.format > 1 or not key.perturbation.startswith(UNION)
    ]
    return issues


def _changed(result: Result, expected: Result, of_format: int) -> Iterator[str]:
    """Yield which fields of a result differ from those that the outcomes give."""
    for name in COMPARED:
        value, from_outcomes = getattr(result, name), getattr(expected, name)
        if of_format == 1 and not is_compared(result, name, from_outcomes):
            continue
        if not is_same(value, from_outcomes):
            yield f"{name} is {value}, the outcomes give {from_outcomes}"


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


def _is_within(value: float | None, other: Result) -> bool:
    return value is not None and other.low is not None and other.high is not None and other.low <= value <= other.high


def _is_greater(result: Result, clean: Result | None) -> bool:
    """Return whether a robust accuracy is above the clean one; on part of the images it may be."""
    return (
        clean is not None
        and (result.n == clean.n or None in (result.n, clean.n))
        and clean.value is not None
        and result.value is not None
        and result.value > clean.value + TOLERANCE
    )


def _key(result: Result) -> _Key:
    return _Key(result.benchmark, result.perturbation, result.metric, result.protocol)
