"""Reading the text of a perturbation: its kind, its surrogate model, and sets of perturbations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from robustbench_eff.core import spec

from .attacks import ADAPTERS
from .corruptions import CORRUPTIONS
from .perturbation_sets import PERTURBATION_SETS
from .sequences import SEQUENCES

if TYPE_CHECKING:
    pass


def kind(text: str) -> Literal["attack", "corruption", "sequence"]:
    """What the text describes, by its name; SpecError for what cannot be read."""
    name = spec.parse(surrogate(text)[0]).name
    return "corruption" if name in CORRUPTIONS else "sequence" if name in SEQUENCES else "attack"


def expand_sets(texts: Iterable[str]) -> list[str]:
    """Perturbations with every word for many of them replaced by those."""
    return [single for text in texts for single in PERTURBATION_SETS.get(text, (text,))]


def is_adapted(text: str) -> bool:
    """Whether the attack is another library's, which queries the plain network."""
    prefix, colon, _ = spec.parse(surrogate(text)[0]).name.partition(":")
    return bool(colon) and prefix in ADAPTERS


def surrogate(text: str) -> tuple[str, str | None]:
    """The attack's text, and the model it is found on where that is not the one that is judged."""
    words, _, model = text.partition(" from ")
    return words, model.strip() or None
