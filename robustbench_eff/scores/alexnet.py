"""What AlexNet does on ImageNet-C and ImageNet-P, which other models are compared with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from robustbench_eff.errors import UsageError

NAMES = ("imagenet_c", "imagenet_p")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlexNet:
    """Fractions, by the name of the corruption or sequence."""

    errors: Mapping[str, float]
    """Top-1 errors on the 15 corruptions of ImageNet-C, summed over the severities."""
    clean_error: float
    flip_probabilities: Mapping[str, float]
    """On the 10 sequences of ImageNet-P at difficulty 1."""
    top5_distances: Mapping[str, float]
    """The same; empty where nobody has measured them."""
    flags: tuple[str, ...]
    """What to know of the last two."""


@cache
def published() -> AlexNet:
    """The published figures; those of ImageNet-P are from memory and say so."""
    return _read(_shipped())


def measured(path: Path | str) -> AlexNet:
    """The figures of a user's file, the published ones where it has none; UsageError if it cannot be read.

    The file is JSON as the one shipped: {"imagenet_c": {"clean_error": e, "per_severity": {NAME: [e1, ..., e5]}},
    "imagenet_p": {"flip_probability": {NAME: p}, "top5_distance": {NAME: d}}}, all as fractions.
    """
    try:
        given = json.loads(Path(path).read_text())
        if not (isinstance(given, dict) and set(given) <= set(NAMES)):
            raise UsageError(f"{path} must map {' and '.join(NAMES)} to figures of AlexNet.")
        shipped = _shipped()
        if "imagenet_p" in given:
            given["imagenet_p"] = {"verified": True, "top5_distance": {}} | given["imagenet_p"]
        return _read({name: shipped[name] | given.get(name, {}) for name in NAMES})
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"{path} holds no figures of AlexNet: {error}") from error


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
