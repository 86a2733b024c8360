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
"""Radii on benchmarks without usual ones: the same for all defenses and attacks."""


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
            text = with_radius(value, eps)
            change = parse_perturbation(text)
            lines[change.text] = _line(spec.parse(text.partition(TRANSFER)[0]).name, change.component, benchmark, radii)
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
    stated = with_radius(text, radii.get(norm, ELSEWHERE[norm]))
    return stated, _line(parsed.name, defense(stated), benchmark, radii)


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
    return None if own is None else radii.get(component.norm, ELSEWHERE.get(component.norm, own))


def _line(name: str, component: Any, benchmark: str, radii: Mapping[str, float]) -> str:
    """The line on an assumed radius, with the norm where it is not L-infinity."""
    norm = getattr(component, "norm", "linf")
    usual = f"the usual radius on {benchmark}" if norm in radii else f"{benchmark} has no usual radius"
    words = [f"{EPS}={spec.literal(component.eps)}", *([f"norm={norm}"] if norm != "linf" else [])]
    return f"assumed: {name} with {', '.join(words)}, {usual}"


def with_radius(text: str, eps: float) -> str:
    """Return the text of an attack or a defense with its radius.

    Args:
        text: Name and fields, without the radius.
        eps: The radius.
    """
    written, transfer, surrogate = text.partition(TRANSFER)
    parsed = spec.parse(written)
    arguments = {**parsed.arguments, EPS: eps}
    listed = ", ".join(f"{name}={spec.literal(value)}" for name, value in arguments.items())
    return f"{parsed.name}({listed}){transfer}{surrogate}"
