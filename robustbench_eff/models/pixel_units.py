"""Mean and standard deviation of pixels, in units of [0, 1], whichever of the two usual units they are given in."""

from __future__ import annotations

from typing import NamedTuple

from robustbench_eff.core.errors import UsageError

LEVELS = 255
"""Value of white where pixels are bytes."""


class Normalization(NamedTuple):
    """Mean and standard deviation of each channel, or one for all."""

    mean: tuple[float, ...]
    """In units of pixels in [0, 1]."""
    std: tuple[float, ...]
    """In the same units."""
    notes: tuple[str, ...]
    """What was assumed of the units."""


def in_unit_range(mean: tuple[float, ...], std: tuple[float, ...]) -> Normalization:
    """Return mean and standard deviation for pixels in [0, 1].

    Values beyond 1 are for pixels from 0 to 255 and divided by 255, if all of them can be: every mean is 0 or at least
    1, every standard deviation at least 1, as the 1 of Caffe's networks.

    Args:
        mean: One value or three.
        std: One value or three.

    Raises:
        UsageError: Some values are for pixels in [0, 1] and some for 0 to 255, or a value is for neither.
    """
    values = (*mean, *std)
    if max(map(abs, values)) <= 1:
        negative = f"assumed: the negative mean {_text(mean)} is meant, which makes pixels brighter"
        return Normalization(mean, std, (negative,) if min(mean) < 0 else ())
    shown = f"mean {_text(mean)} and std {_text(std)}"
    if max(values) > LEVELS or min(values) < 0:
        sign = " A mean is given with a plus sign, it is subtracted." if min(mean) < 0 else ""
        raise UsageError(f"{shown} are neither for pixels from 0 to 1 nor for 0 to 255.{sign}", _EXAMPLE)
    if any(0 < value < 1 for value in values):
        raise UsageError(
            f"{shown} mix units: some are for pixels from 0 to 1, and some for 0 to 255.",
            f"Write all of them for pixels from 0 to 1. {_EXAMPLE}",
        )
    if min(std) == 0:
        raise UsageError(f"{shown}: a standard deviation of 0 divides by zero.", _EXAMPLE)
    mean, std = (tuple(value / LEVELS for value in group) for group in (mean, std))
    note = f"assumed: {shown} are for pixels from 0 to 255, so for [0, 1] mean {_text(mean)} and std {_text(std)}"
    return Normalization(mean, std, (note,))


_EXAMPLE = "For example --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225"


def _text(values: tuple[float, ...]) -> str:
    return ",".join(f"{value:.6g}" for value in values)
