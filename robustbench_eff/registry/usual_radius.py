"""The radius of an attack or a defense whose text states none: the benchmark's usual one, and a line that says so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from robustbench_eff.core import spec

from .attacks import ATTACKS
from .benchmarks import BENCHMARKS
from .build_defense import defense
from .defenses import DEFENSES
from .perturbation import ON, TRANSFER, Perturbation, parse_perturbation, perturbations
from .perturbation_sets import expand_sets

EPS = "eps"
ELSEWHERE: Mapping[str, float] = {"linf": 4 / 255, "l2": 0.5}
"""Radii of defenses on benchmarks without usual ones, so that all train for the same attack."""


def perturbations_on(values: Iterable[Any], benchmark: str, radii: Mapping[str, float]) -> list[Perturbation]:
    """Return the perturbations that a user asks for on a benchmark; attacks of ours without a radius get its usual one.

    Args:
        values: Texts, names of sets, or objects, which state their radius.
        benchmark: Name of the benchmark, for the lines on what was assumed.
        radii: Its usual radii by norm; an attack of another norm keeps its default.

    Raises:
        SpecError: As for `parse_perturbation`.
        UsageError: As for `as_perturbation`.
    """
    stated, lines = list[Any](), dict[str, str]()
    for value in expand_sets(values):
        if isinstance(value, str) and (eps := _radius(value, radii)) is not None:
            text = _with_radius(value, eps)
            name, usual = spec.parse(value.partition(TRANSFER)[0]).name, f"the usual radius on {benchmark}"
            why = usual if eps in radii.values() else "its default"
            lines[parse_perturbation(text).text] = f"assumed: {name} with {EPS}={spec.literal(eps)}, {why}"
            value = text
        stated.append(value)
    changes = perturbations(stated)
    return [replace(change, assumed=(lines[change.text],)) if change.text in lines else change for change in changes]


def defense_on(text: str, benchmark: str) -> tuple[str, str]:
    """Return the text of a defense on a benchmark, and what was assumed; a defense of ours gets the usual radius.

    Defenses whose papers set a radius for other reasons than the attack that they train for keep it.

    Args:
        text: Name and fields of a defense.
        benchmark: Name of the benchmark to train on, or of the user's own images.

    Raises:
        SpecError: As for `defense`.
    """
    parsed, recipe = spec.parse(text), defense(text)
    if parsed.name not in DEFENSES.own or EPS in parsed.arguments or not recipe.has_usual_radius:
        return text, ""
    radii = BENCHMARKS[benchmark].load().usual_radii if benchmark in BENCHMARKS else {}
    norm = getattr(recipe, "norm", "linf")
    eps = radii.get(norm, ELSEWHERE[norm])
    why = f"the usual radius on {benchmark}" if norm in radii else f"as all defenses on {benchmark}"
    return _with_radius(text, eps), f"assumed: {parsed.name} with {EPS}={spec.literal(eps)}, {why}"


def _radius(text: str, radii: Mapping[str, float]) -> float | None:
    """The radius of an attack that states none; None for one that does, and for anything else."""
    if ON in text:  # an attack on a smoothed classifier states everything
        return None
    written = text.partition(TRANSFER)[0]
    parsed = spec.parse(written)
    if parsed.name not in ATTACKS.own or EPS in parsed.arguments:
        return None
    component: Any = parse_perturbation(written).component
    own: float | None = getattr(component, EPS, None)
    return None if own is None else radii.get(component.norm, own)


def _with_radius(text: str, eps: float) -> str:
    written, transfer, surrogate = text.partition(TRANSFER)
    parsed = spec.parse(written)
    arguments = {**parsed.arguments, EPS: eps}
    listed = ", ".join(f"{name}={spec.literal(value)}" for name, value in arguments.items())
    return f"{parsed.name}({listed}){transfer}{surrogate}"
