"""Attacks that need gradients, on networks that have none: refused before any work where nothing else was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from robustbench_eff.attacks.input_gradient import ON_ITS_TWIN, WITHOUT_GRADIENTS
from robustbench_eff.core.errors import ModelError
from robustbench_eff.core.quantized import without_gradient
from robustbench_eff.models.classifier import Classifier
from robustbench_eff.registry.perturbation import Perturbation


class Asked(NamedTuple):
    """A perturbation that is asked of a model, and the network that an attack queries."""

    perturbation: Perturbation
    attacked: Classifier


def refuse_gradients(asked: Iterable[Asked]) -> None:
    """Raise an error for a model of which only attacks are asked that need gradients, on networks that have none.

    Where other perturbations are asked too, these are evaluated, and each such attack fails in its own row.

    Args:
        asked: All that is asked of the model.

    Raises:
        ModelError: Every attack would fail, and nothing else is asked but the clean accuracy.
    """
    items = [item for item in asked if item.perturbation.kind != "none"]
    reasons = [_reason(item) for item in items]
    if reasons and all(reasons):
        raise ModelError(
            f"{items[0].attacked.name} {reasons[0]}, which has no gradient: {WITHOUT_GRADIENTS}.",
            f"{_named(items)} would have no number. {ON_ITS_TWIN} For the clean accuracy alone: --attack none.",
        )


def _reason(asked: Asked) -> str:
    """Why an attack cannot have the gradients that it needs; empty if it can, or needs none."""
    perturbation = asked.perturbation
    needs = perturbation.kind == "attack" and "gradient" in perturbation.attack.uses
    return without_gradient(asked.attacked) if needs else ""


def _named(items: Sequence[Asked]) -> str:
    texts = [item.perturbation.text for item in items]
    return texts[0] if len(texts) == 1 else f"{texts[0]} and {len(texts) - 1} more"
