"""Certified accuracy against the L2 radius, with the accuracy that attacks leave."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from robustbench_eff.core import spec
from robustbench_eff.core.errors import SpecError

from .curves import CERTIFIED, CleanKey, Curve, clean_of
from .entry import Entry, Result
from .perturbations import at_radius

AT_RADIUS = "certified_accuracy@"
ON = " on "
"""Separates an attack from the smoothed classifier that it attacks."""


class Attacked(NamedTuple):
    """An L2 attack, on the network or on a smoothed classifier."""

    name: str
    """The attack without its radius."""
    smoothing: str
    """Text of the smoothed classifier's certificate; empty for the network."""
    radius: float


def certified_curves(entries: Sequence[Entry]) -> list[list[Curve]]:
    """Return for every smoothed classifier the curves of certified accuracy and of accuracy under L2 attacks.

    The first curve is certified accuracy, a lower bound between the radii at which it is known. The attacks, which the
    other curves name, are those on the same smoothed classifier, and for comparison those on its network.

    Args:
        entries: One entry per model.
    """
    return [curves for entry in entries for curves in _of_entry(entry)]


def _of_entry(entry: Entry) -> Iterator[list[Curve]]:
    certified: dict[tuple[Any, ...], list[tuple[float, Result]]] = {}
    for kind, result in entry.results():
        if result.metric.startswith(AT_RADIUS) and result.value is not None:
            key = (kind, result.benchmark, result.perturbation, result.protocol)
            certified.setdefault(key, []).append((spec.number(result.metric.removeprefix(AT_RADIUS)), result))
    for (kind, benchmark, smoothing, protocol), points in certified.items():
        first = Curve(entry.model, benchmark, CERTIFIED, protocol, kind, tuple(sorted(points)))
        yield [first, *_attacks(entry, first, smoothing)]


def _attacks(entry: Entry, certified: Curve, smoothing: str) -> Iterator[Curve]:
    """Curves of the L2 attacks on a smoothed classifier, and on its network; each starts at the accuracy without."""
    kind, images, benchmark = certified.kind, certified.protocol.of_images(), certified.benchmark
    network = clean_of(entry).get(CleanKey(kind, images, benchmark))
    smoothed = next((result for radius, result in certified.points if radius == 0), None)
    points: dict[str, dict[float, Result]] = {}
    for other, result in entry.results():
        attacked = _attacked(result)
        same = (other, result.benchmark, result.protocol.of_images()) == (kind, benchmark, images)
        if attacked is None or not same or attacked.smoothing not in ("", smoothing):
            continue
        label = f"{attacked.name} on the {'smoothed classifier' if attacked.smoothing else 'network'}"
        points.setdefault(label, {}).setdefault(attacked.radius, result)
        if (start := smoothed if attacked.smoothing else network) is not None:
            points[label].setdefault(0.0, start)
    for label, by_radius in sorted(points.items(), key=lambda item: "network" in item[0]):
        yield certified._replace(attack=label, points=tuple(sorted(by_radius.items())))


def _attacked(result: Result) -> Attacked | None:
    """Return the L2 attack of a result; None for anything else."""
    attack, _, smoothing = result.perturbation.partition(ON)
    metric, _, radius = result.metric.partition("@")
    if metric != "robust_accuracy" or result.value is None:
        return None
    try:
        parsed = spec.parse(attack)
        if parsed.arguments.get("norm") != "l2":
            return None
        if radius:
            return Attacked(parsed.name, "", spec.number(radius))
        at = at_radius(attack)
        return None if at is None else Attacked(parsed.name, _certificate(smoothing), at.value)
    except SpecError:  # a description of a published table
        return None


def _certificate(smoothing: str) -> str:
    """Text of the certificate of an attacked smoothed classifier: without the draws of the attack."""
    if not smoothing:
        return ""
    parsed = spec.parse(smoothing)
    fields = [f"{name}={spec.literal(value)}" for name, value in parsed.arguments.items() if name != "draws"]
    return f"{parsed.name}({', '.join(fields)})"
