"""Perturbations that differ in one argument alone: a corruption at its severities, an attack at its radii."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, NamedTuple, TypeVar

from robustbench_eff.core import spec
from robustbench_eff.core.errors import SpecError

from .entry import Result

SEVERITIES = range(1, 6)
SEED = " · seed "
"""What stands in a protocol before the seed."""
Value = TypeVar("Value")


class Split(NamedTuple, Generic[Value]):
    """`fog(severity=3)` by severity is `fog`, 3."""

    rest: str
    value: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class BySeverity:
    """Numbers of one metric on one benchmark under one protocol: of every corruption those of the severities."""

    benchmark: str
    metric: str
    protocol: str
    corruptions: dict[str, list[Result | None]]
    """None where there is no number."""


def as_severity(value: object) -> int | None:
    """None for what is no whole number from 1 to 5."""
    return value if type(value) is int and value in SEVERITIES else None


def as_radius(value: object) -> float | None:
    """None for what is no finite number above 0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        radius = float(value)
    except OverflowError:  # a whole number of hundreds of digits
        return None
    return radius if 0 < radius < math.inf else None


@cache
def at_severity(perturbation: str) -> Split[int] | None:
    """A corruption and its severity; None where it has none, or a source says in words what it did."""
    found = _split(perturbation, "severity")
    severity = None if found is None else as_severity(found.value)
    return None if found is None or severity is None else Split(found.rest, severity)


@cache
def at_radius(perturbation: str) -> Split[float] | None:
    """An attack and the radius within which it searches; None where it has none that can be read."""
    found = _split(perturbation, "eps")
    radius = None if found is None else as_radius(found.value)
    return None if found is None or radius is None else Split(found.rest, radius)


def metric_at_radius(metric: str) -> Split[float] | None:
    """`robust_accuracy@4/255` is `robust_accuracy`, 4/255; None without a radius that can be read."""
    name, at, radius = metric.partition("@")
    return at_radius(f"{name}(eps={radius})") if at else None


def by_severity(results: Iterable[Result]) -> list[BySeverity]:
    """A table for every benchmark, metric and protocol; of two numbers for one place the first.

    What a corruption draws has a seed in its protocol: what draws nothing stands in the tables of every seed, and in
    one of its own where there is no seed.
    """
    found = [(at, result) for result in results if (at := at_severity(result.perturbation)) is not None]
    places = dict.fromkeys((result.benchmark, result.metric, result.protocol) for _, result in found)
    joined = {(benchmark, metric, _unseeded(protocol)) for benchmark, metric, protocol in places if SEED in protocol}
    return [_table(*place, found) for place in places if place not in joined]


def _table(benchmark: str, metric: str, protocol: str, found: Sequence[tuple[Split[int], Result]]) -> BySeverity:
    corruptions: dict[str, list[Result | None]] = {}
    for at, result in found:
        belongs = result.protocol in (protocol, _unseeded(protocol))
        if belongs and (result.benchmark, result.metric) == (benchmark, metric):
            row = corruptions.setdefault(at.rest, [None] * len(SEVERITIES))
            place = SEVERITIES.index(at.value)
            row[place] = row[place] or result
    return BySeverity(benchmark=benchmark, metric=metric, protocol=protocol, corruptions=corruptions)


def _unseeded(protocol: str) -> str:
    return protocol.partition(SEED)[0]


def _split(perturbation: str, argument: str) -> Split[Any] | None:
    try:
        parsed = spec.parse(perturbation)
        others = [f"{name}={spec.literal(value)}" for name, value in parsed.arguments.items() if name != argument]
    except (SpecError, ValueError):  # a whole number of thousands of digits has no text
        return None
    if argument not in parsed.arguments:
        return None
    return Split(f"{parsed.name}({', '.join(others)})" if others else parsed.name, parsed.arguments[argument])
