"""The Pareto front: models that no other model beats in two numbers at once."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby


def pareto_front(points: Mapping[str, tuple[float, float]]) -> list[str]:
    """Return the names of the points on the front, by increasing first number; higher is better in both.

    A point is on the front if no other is at least as high in both numbers and higher in one.

    Args:
        points: Two numbers by name.
    """
    front: list[str] = []
    highest = float("-inf")
    ordered = sorted(points, key=lambda name: points[name], reverse=True)
    for _, alike in groupby(ordered, key=lambda name: points[name][0]):
        names = list(alike)
        best = points[names[0]][1]
        if best > highest:
            front += [name for name in names if points[name][1] == best]
            highest = best
    return front[::-1]
