"""AlexNet's errors on ImageNet-C and ImageNet-P, to which the scores of other models are relative."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from robustbench_eff.core.errors import UsageError
from robustbench_eff.core.outside_files import read_json

NAMES = ("imagenet_c", "imagenet_p")
SEVERITIES = 5
ROUNDING = 1e-9
"""Relative error of a sum of errors."""
MAX_TOP5_DISTANCE = 18.0
"""Largest top-5 distance of two rankings: the three best leave the best five, and the other two take the first places.
Rankings that share none of their best five are only 15 apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlexNet:
    """Errors and flip probabilities as fractions, by the name of the corruption or sequence."""

    errors: Mapping[str, float]
    """Top-1 errors on the 15 corruptions of ImageNet-C, summed over the severities."""
    clean_error: float
    """Top-1 error on clean ImageNet."""
    flip_probabilities: Mapping[str, float]
    """Flip probabilities on the 10 sequences of ImageNet-P at difficulty 1."""
    top5_distances: Mapping[str, float]
    """Top-5 distances on the same sequences, from 0 to 18; empty where they are unknown."""
    flags: tuple[str, ...]
    """Sentences that a reader must know before trusting a score relative to the last two."""

    @property
    def not_above_clean(self) -> tuple[str, ...]:
        """Corruptions on which it errs no more often than on clean images: nothing can be relative to what they add."""
        least = SEVERITIES * self.clean_error * (1 + ROUNDING)
        return tuple(name for name, error in self.errors.items() if error <= least)


@cache
def published() -> AlexNet:
    """Return the published figures; those of ImageNet-P have a flag, because they could not be verified."""
    return _read(_shipped())


def measured(path: Path | str) -> AlexNet:
    """Return the figures of a user's file, and the published ones for those that it lacks.

    Args:
        path: A JSON file of the form {"imagenet_c": {"clean_error": e, "per_severity": {NAME: [e1, ..., e5]}},
            "imagenet_p": {"flip_probability": {NAME: p}, "top5_distance": {NAME: d}}}, errors and probabilities as
            fractions.

    Raises:
        UsageError: The file cannot be read or has another form, a name is not that of one of the 15 corruptions or 10
            sequences, a value is out of range, or only some of the 10 sequences have a top-5 distance.
    """
    facts = _shipped()
    try:
        given = read_json(Path(path), UsageError)
        corrupted, filmed = (_part(given, name, facts) for name in NAMES)
        flips = _figures(filmed, "flip_probability", facts["imagenet_p"]["flip_probability"])
        distances = _figures(filmed, "top5_distance", facts["imagenet_p"]["flip_probability"], most=MAX_TOP5_DISTANCE)
        errors = _errors(corrupted, facts["imagenet_c"]["per_severity"])
        if "clean_error" in corrupted and not _is_share(corrupted["clean_error"]):
            raise ValueError(f"imagenet_c, clean_error: expected a fraction, got {corrupted['clean_error']!r}")
        if 0 < len(distances) < len(facts["imagenet_p"]["flip_probability"]):
            raise ValueError("imagenet_p, top5_distance: expected all 10 sequences")
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{path} cannot be read as figures of AlexNet: {error}.", "See docs/corruptions.md for the form."
        ) from error
    facts["imagenet_c"]["per_severity"] |= errors
    facts["imagenet_c"]["clean_error"] = corrupted.get("clean_error", facts["imagenet_c"]["clean_error"])
    facts["imagenet_p"]["verified"] = set(flips) == set(facts["imagenet_p"]["flip_probability"])
    facts["imagenet_p"]["flip_probability"] |= flips
    facts["imagenet_p"]["top5_distance"] = distances
    return _read(facts)


def _part(given: Any, name: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return one part of the file, after checking that it does not hold anything unknown."""
    if unknown := set(given) - set(NAMES):
        raise ValueError(f"unknown {', '.join(sorted(unknown))}")
    part: dict[str, Any] = given.get(name, {})
    if unknown := set(part) - {*facts[name], "top5_distance"}:
        raise ValueError(f"{name}: unknown {', '.join(sorted(unknown))}")
    return part


def _errors(part: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, list[float]]:
    """Return the errors at all severities by the name of a corruption."""
    errors: dict[str, list[float]] = part.get("per_severity", {})
    for name, row in errors.items():
        if name not in known or len(row) != SEVERITIES or not all(map(_is_share, row)):
            raise ValueError(f"imagenet_c, per_severity, {name}: expected five fractions for one of the 15 corruptions")
    return errors


def _figures(part: Mapping[str, Any], key: str, known: Mapping[str, float], most: float = 1.0) -> dict[str, float]:
    """Return positive figures by the name of a sequence."""
    figures: dict[str, float] = part.get(key, {})
    for name, figure in figures.items():
        if name not in known or not isinstance(figure, (int, float)) or figure is True or not 0 < figure <= most:
            expected = f"expected one of the 10 sequences and a number above 0 and at most {most:g}"
            raise ValueError(f"imagenet_p, {key}, {name}: {expected}, got {figure!r}")
    return figures


def _is_share(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= 1


def _shipped() -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((files("robustbench_eff") / "facts" / "alexnet_normalisers.json").read_text())
    return facts


def _read(facts: Mapping[str, Any]) -> AlexNet:
    corrupted, filmed = (facts[name] for name in NAMES)
    return AlexNet(
        errors={name: sum(errors) for name, errors in corrupted["per_severity"].items()},
        clean_error=corrupted["clean_error"],
        flip_probabilities=filmed["flip_probability"],
        top5_distances=filmed.get("top5_distance", {}),
        flags=() if filmed["verified"] else ("AlexNet's flip probabilities are unverified",),
    )
