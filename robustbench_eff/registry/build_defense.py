"""Defenses from their texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from robustbench_eff.core import spec

from .defenses import DEFENSES

if TYPE_CHECKING:
    from robustbench_eff.defenses.recipe import Recipe


def defense(text: str) -> Recipe:
    """Return the training recipe that a text describes.

    Args:
        text: Name and fields, such as `pgd_at(eps=4/255)`.

    Raises:
        SpecError: The name is not in the table, or a field is unknown or has a wrong value.
    """
    parsed = spec.parse(text)
    built: Recipe = DEFENSES.build(parsed)
    return built


def defense_text(recipe: str | Recipe) -> str:
    """Return the canonical text of a recipe.

    Args:
        recipe: A text, or a recipe; the class of the latter need not be in the table of defenses.

    Raises:
        SpecError: As for `defense`.
    """
    if isinstance(recipe, str):
        return spec.text_of(spec.parse(recipe).name, defense(recipe))
    return spec.text_of(DEFENSES.name_of(recipe), recipe)
