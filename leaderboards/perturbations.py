"""Perturbations that differ in one argument alone: a corruption at its severities, an attack at its radii."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from robustbench_eff import spec
from robustbench_eff.errors import SpecError


class Split(NamedTuple):
    """`fog(severity=3)` by severity is `fog`, 3."""

    rest: str
    value: Any


@cache
def split(perturbation: str, argument: str) -> Split | None:
    """None where the argument is not there, or a source says in words what it did."""
    try:
        parsed = spec.parse(perturbation)
    except SpecError:
        return None
    if argument not in parsed.arguments:
        return None
    others = ", ".join(f"{name}={spec.literal(value)}" for name, value in parsed.arguments.items() if name != argument)
    return Split(f"{parsed.name}({others})" if others else parsed.name, parsed.arguments[argument])
