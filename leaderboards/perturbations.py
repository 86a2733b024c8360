"""Perturbations that differ in one argument alone: a corruption at its severities, an attack at its radii."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, NamedTuple, TypeVar

from robustbench_eff.core import spec
from robustbench_eff.core.errors import SpecError
from robustbench_eff.core.protocol import Protocol

from .entry import Result

SEVERITIES = range(1, 6)
Value = TypeVar("Value")


class Split(NamedTuple, Generic[Value]):
    """A text without one of its arguments, and that argument: `fog(severity=3)` becomes `fog`, 3."""

    rest: str
    value: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class BySeverity:
    """Numbers of one metric on one benchmark under one protocol, by corruption and severity."""

    benchmark: str
    metric: str
    protocol: Protocol
    corruptions: dict[str, list[Result | None]]
    """For each corruption one result per severity; None where a result is missing."""


def as_severity(value: object) -> int | None:
    """Return a severity, an integer from 1 to 5; None for any other value.

    Args:
        value: Any value.
    """
    return value if type(value) is int and value in SEVERITIES else None


def as_radius(value: object) -> float | None:
    """Return a radius, a finite number above 0; None for any other value.

    Args:
        value: Any value.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        radius = float(value)
    except OverflowError:  # an integer of hundreds of digits
        return None
    return radius if 0 < radius < math.inf else None


@cache
def at_severity(perturbation: str) -> Split[int] | None:
    """Split a corruption into its spec without severity, and its severity.

    Args:
        perturbation: Spec text such as `fog(severity=3)`, or a description of a published table.

    Returns:
        None if the text is not a spec or does not have a valid severity.
    """
    split = _split(perturbation, "severity")
    if split is None or (severity := as_severity(split.value)) is None:
        return None
    return Split(split.rest, severity)


@cache
def at_radius(perturbation: str) -> Split[float] | None:
    """Split an attack into its spec without radius, and its radius.

    Args:
        perturbation: Spec text such as `pgd(eps=4/255)`, or a description of a published table.

    Returns:
        None if the text is not a spec or does not have a valid radius.
    """
    split = _split(perturbation, "eps")
    if split is None or (radius := as_radius(split.value)) is None:
        return None
    return Split(split.rest, radius)


def metric_at_radius(metric: str) -> Split[float] | None:
    """Split a metric at a radius: `robust_accuracy@4/255` becomes `robust_accuracy`, 4/255.

    Args:
        metric: Name of a score.

    Returns:
        None if the name does not have a valid radius.
    """
    name, at, radius = metric.partition("@")
    return at_radius(f"{name}(eps={radius})") if at else None


def by_severity(results: Iterable[Result]) -> list[BySeverity]:
    """Arrange the results of corruptions in a table for every benchmark, metric and protocol.

    Random corruptions have a seed in their protocol. Deterministic ones appear in the table of every seed, and in a
    table of their own only if there is no seed.

    Args:
        results: Results, of which those at a severity are used. Of two for one place the first is used.
    """
    at_severities = [(at, result) for result in results if (at := at_severity(result.perturbation)) is not None]
    keys = dict.fromkeys((result.benchmark, result.metric, result.protocol) for _, result in at_severities)
    covered = {(benchmark, metric, protocol.unseeded()) for benchmark, metric, protocol in keys if protocol.seeds}
    return [_table(*key, at_severities) for key in keys if key not in covered]


def _table(
    benchmark: str, metric: str, protocol: Protocol, at_severities: Sequence[tuple[Split[int], Result]]
) -> BySeverity:
    corruptions: dict[str, list[Result | None]] = {}
    protocols = (protocol, protocol.unseeded())
    for at, result in at_severities:
        if result.protocol in protocols and (result.benchmark, result.metric) == (benchmark, metric):
            row = corruptions.setdefault(at.rest, [None] * len(SEVERITIES))
            index = SEVERITIES.index(at.value)
            row[index] = row[index] or result
    return BySeverity(benchmark=benchmark, metric=metric, protocol=protocol, corruptions=corruptions)


def _split(perturbation: str, argument: str) -> Split[Any] | None:
    try:
        parsed = spec.parse(perturbation)
        others = [f"{name}={spec.literal(value)}" for name, value in parsed.arguments.items() if name != argument]
    except (SpecError, ValueError):  # an integer of thousands of digits cannot be printed
        return None
    if argument not in parsed.arguments:
        return None
    return Split(f"{parsed.name}({', '.join(others)})" if others else parsed.name, parsed.arguments[argument])
