"""How the report writes numbers, balls and protocols."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from robustbench_eff.core import spec
from robustbench_eff.core.metric import Unit
from robustbench_eff.core.protocol import Protocol
from robustbench_eff.scores.number_text import distance
from robustbench_eff.scores.score import Ball, Score

NORMS = {"linf": "L∞", "l2": "L2", "l1": "L1", "l0": "L0"}
NO_VALUE = "–"
_OF_IMAGES = (
    *("description", "split", "count", "total", "excluded", "classes", "class_order", "class_names", "turned"),
    *("geometry", "jpeg_quality", "model_size", "stream"),
)


def ball_text(ball: Ball) -> str:
    """Return a ball as text, such as `L∞ 8/255`.

    Args:
        ball: The ball.
    """
    pixels = (" pixel" if ball.eps == 1 else " pixels") if ball.norm == "l0" else ""
    return f"{NORMS.get(ball.norm, ball.norm)} {spec.literal(ball.eps)}{pixels}"


def share(fraction: float) -> str:
    """Return a fraction in percent with one digit, without a zero behind the point; 0 and 100 are exact.

    Args:
        fraction: The fraction, which may lie outside [0, 1].
    """
    text = f"{100 * fraction:.1f}".removesuffix(".0")
    if text == "100" and fraction < 1:
        return "> 99.9"
    return "< 0.1" if text in ("0", "-0") and fraction > 0 else text.replace("-0", "0") if text == "-0" else text


def value_text(score: Score) -> str:
    """Return the value of a score without its unit; a dash without a value.

    Args:
        score: The score.
    """
    return NO_VALUE if score.value is None else _end(score, score.value)


def unit_text(score: Score) -> str:
    """Return what follows the value: ` %` for a fraction, nothing for a number.

    Args:
        score: The score.
    """
    return " %" if score.definition.unit == "fraction" and score.value is not None else ""


def interval_text(score: Score) -> str:
    """Return the 95 % interval as `[18, 29]`; empty where there is none.

    Args:
        score: The score.
    """
    if score.low is None or score.high is None:
        return ""
    return f"[{_end(score, score.low)}, {_end(score, score.high)}]"


def other_protocol(protocol: Protocol) -> str:
    """Return what a protocol says besides which images there were: seeds, precision, attacks and so on; may be empty.

    Args:
        protocol: The protocol.
    """
    default = Protocol()
    return str(replace(protocol, **{name: getattr(default, name) for name in _OF_IMAGES}))


def class_text(index: int, names: Mapping[int, str]) -> str:
    """Return the name of a class, or `class 3` if it has none.

    Args:
        index: Class index.
        names: Names by index; a name may be the index.
    """
    name = names.get(index, str(index))
    return f"class {index}" if name == str(index) else name


def count_of(number: int, what: str) -> str:
    """Return a number with its noun, such as `1 attack` or `6 attacks`.

    Args:
        number: How many.
        what: The noun in the singular.
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def listed(texts: list[str], conjunction: str = "and") -> str:
    """Return texts as a list in words: `a, b and c`.

    Args:
        texts: At least one text.
        conjunction: The word before the last one.
    """
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} {conjunction} {texts[-1]}"


def _end(score: Score, value: float) -> str:
    """A value or an end of its interval."""
    unit: Unit = score.definition.unit
    if score.definition.section == "distance":
        return distance(value, score.searched_to)
    return share(value) if unit == "fraction" else f"{value:.2f}"
