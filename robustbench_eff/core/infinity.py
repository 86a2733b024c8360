"""Infinite numbers as text and as JSON: distances beyond everything that a search looked at."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import ROUND_DOWN, Context
from typing import Any

INFINITE = "inf"
"""Infinity in JSON, which has no number for it; Python's `float` reads it."""
_ROUNDED_DOWN = Context(prec=3, rounding=ROUND_DOWN)


def is_number(value: float | None, *, may_be_infinite: bool) -> bool:
    """Return whether a value may stand in a report: None, a finite number, or infinity where that has a meaning.

    Args:
        value: The value.
        may_be_infinite: Whether plus infinity is a value, as of a distance. NaN and minus infinity never are.
    """
    return value is None or math.isfinite(value) or (may_be_infinite and value == math.inf)


def infinite_text(searched_to: float | None) -> str:
    """Return an infinite number as text: `> 0.0627` above the limit of a search, else `∞`.

    The limit has three significant digits, rounded down, so that the text never claims more than was searched.

    Args:
        searched_to: The limit, at least 0; None without one.
    """
    return "∞" if searched_to is None else f"> {_rounded_down(searched_to):.4g}"


def distance_text(value: float, searched_to: float | None) -> str:
    """Return a distance with four significant digits, or as `infinite_text`.

    One that is hardly below the limit of the search is written as the limit is, so that no finite number looks larger
    than `> 0.0627`.

    Args:
        value: The distance, at least 0.
        searched_to: The limit, at least 0; None without one.
    """
    if math.isinf(value):
        return infinite_text(searched_to)
    return f"{value if searched_to is None else min(value, _rounded_down(searched_to)):.4g}"


def _rounded_down(limit: float) -> float:
    """The limit with three significant digits."""
    return float(_ROUNDED_DOWN.create_decimal(repr(limit)))


def strict_json(content: Any) -> Any:
    """Return plain JSON types in which every infinite number is the text `inf` or `-inf`.

    Args:
        content: Numbers, texts, and lists, tuples and mappings of them.
    """
    if isinstance(content, float) and math.isinf(content):
        return INFINITE if content > 0 else f"-{INFINITE}"
    if isinstance(content, Mapping):
        return {key: strict_json(value) for key, value in content.items()}
    return [strict_json(value) for value in content] if isinstance(content, list | tuple) else content
