"""How scores are written: fractions in percent, numbers as they are, with their 95 % intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from robustbench_eff.core.infinity import distance_text
from robustbench_eff.core.metric import Unit
from robustbench_eff.registry.metrics import metric_of

from .score import Score

if TYPE_CHECKING:
    from .compare import Comparison


def percent(value: float | None, digits: int = 2, sign: str = "") -> str:
    """Return a fraction in percent, or a dash for None.

    Args:
        value: A fraction.
        digits: Digits after the point.
        sign: `+` to write the sign of positive values too.
    """
    return "-" if value is None else f"{100 * value:{sign}.{digits}f}"


def number(value: float | None, unit: Unit, digits: int = 2, sign: str = "") -> str:
    """Return a fraction in percent, or a number with two digits; a dash for None.

    Args:
        value: The value.
        unit: Its unit.
        digits: Digits after the point of a fraction in percent.
        sign: `+` to write the sign of positive values too.
    """
    return f"{value:{sign}.2f}" if value is not None and unit == "number" else percent(value, digits, sign)


def distance(value: float | None, searched_to: float | None) -> str:
    """Return a distance with four significant digits; a dash for None, `> 0.0627` or `∞` for infinity.

    Args:
        value: Distance of an adversarial image, in units of [0, 1] pixels.
        searched_to: Largest distance that the search allowed; None if it had no limit.
    """
    return "-" if value is None else distance_text(value, searched_to)


def interval(score: Score | Comparison, digits: int = 2) -> str:
    """Return the 95 % interval, or a dash if there is none.

    Args:
        score: A score or a comparison.
        digits: Digits after the point of fractions in percent.
    """
    unit = metric_of(score.metric).unit
    return "-" if score.low is None else f"[{number(score.low, unit, digits)}, {number(score.high, unit, digits)}]"


def with_interval(score: Score | None, digits: int = 1, ends: int | None = None) -> str:
    """Return the value and its interval; a dash without a value, an empty text without a score.

    Args:
        score: The score.
        digits: Digits after the point of the value.
        ends: Digits after the point of the ends of the interval; None for `digits`.
    """
    if score is None:
        return ""
    if score.value is None:
        return "-"
    value = number(score.value, score.definition.unit, digits)
    return f"{value} {interval(score, digits if ends is None else ends)}"


def duration(seconds: float) -> str:
    """Return a time in a readable unit.

    Args:
        seconds: The time.
    """
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"
