"""Stylisers from their texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from robustbench_eff.core import spec

from .stylisers import STYLISERS

if TYPE_CHECKING:
    from robustbench_eff.corruptions.stylise import Styliser


def styliser(text: str) -> Styliser:
    """Return the styliser that a text describes.

    Args:
        text: Name and fields, such as `random_phase(scale=0.02)`.

    Raises:
        SpecError: The name is not in the table, or a field is unknown or has a wrong value.
    """
    parsed = spec.parse(text)
    built: Styliser = STYLISERS.build(parsed)
    return built
