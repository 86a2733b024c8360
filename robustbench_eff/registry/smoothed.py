"""Perturbations of randomised smoothing: a certificate, and an attack on a smoothed classifier."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from robustbench_eff.core import spec
from robustbench_eff.core.code_origin import CodeOrigin
from robustbench_eff.core.errors import SpecError
from robustbench_eff.models.smoothing import Smoothing

from .perturbation import ON, SMOOTHING, Perturbation, parse_perturbation


def parse_smoothed(text: str, origin: CodeOrigin) -> Perturbation:
    """Return the certificate, or the attack on a smoothed classifier, that a text describes.

    Args:
        text: `smoothing(sigma=0.25)`, or an attack followed by ` on smoothing(sigma=0.25)`. Early stopping is switched
            off for an attack: at the decision boundary, where it stops, a vote is undecided.
        origin: Who wrote the text.

    Raises:
        SpecError: A field is unknown or has a wrong value, or the attack cannot be run on a smoothed classifier.
        UsageError: As for `parse_perturbation`.
    """
    written, on, smoothing = text.partition(ON)
    parsed = spec.parse(smoothing if on else text)
    if parsed.name != SMOOTHING:
        raise SpecError(f"{text!r}: an attack can be on {SMOOTHING}(...), not on {parsed.name}.")
    item = spec.build(Smoothing, parsed)
    if on:
        return _attack_on(written, item, origin)
    item = item.certificate
    return Perturbation(text=spec.text_of(SMOOTHING, item), kind="certificate", component=item, smoothing=item)


def _attack_on(written: str, smoothing: Smoothing, origin: CodeOrigin) -> Perturbation:
    attacked = parse_perturbation(written, origin)
    component: Any = attacked.component
    has_one_ball = attacked.kind == "attack" and isinstance(getattr(component, "eps", None), int | float)
    if not has_one_ball or attacked.is_adapted or attacked.transfer_from is not None:
        raise SpecError(
            f"{written} cannot attack a smoothed classifier.",
            "Use an attack of this package within one radius, such as 'pgd(eps=0.5, norm=l2)'.",
        )
    if hasattr(component, "early_stop"):
        component = replace(component, early_stop=False)
    parts = (spec.text_of(spec.parse(written).name, component), spec.text_of(SMOOTHING, smoothing))
    return Perturbation(text=ON.join(parts), kind="attack", component=component, smoothing=smoothing)
