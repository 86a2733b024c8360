"""What RobustBench published about its models: accuracies and warnings, from the shipped results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import pyarrow.compute as pc

from robustbench_eff.leaderboards.published import published
from robustbench_eff.leaderboards.published_names import BEST_KNOWN

_METRICS = ("accuracy", "robust_accuracy", "mean_accuracy")
_REPORTED = "reported_robust_top1"
"""End of the published name of a number that the authors reported, and RobustBench did not measure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedNumbers:
    """Fractions of correct answers, as RobustBench publishes them; None where it does not."""

    clean: float | None = None
    """On the images as they are."""
    autoattack: float | None = None
    """Under AutoAttack."""
    best_known: float | None = None
    """Under the strongest attack that RobustBench knows, where that is not AutoAttack."""
    corruptions: float | None = None
    """Mean over the common corruptions."""
    flags: tuple[str, ...] = ()
    """Warnings of RobustBench."""


@cache
def published_numbers() -> Mapping[str, PublishedNumbers]:
    """Return what is published about all models, by their names in the published results."""
    columns = ["alias", "perturbation", "metric", "value", "published_as", "flag"]
    table = published().select(columns)
    ours = pc.starts_with(table["alias"], "rb_")
    fields: dict[str, dict[str, Any]] = {}
    for row in table.filter(ours).to_pylist():
        found = fields.setdefault(row["alias"], {"flags": ()})
        if (field := _field(row)) is not None:
            found[field] = row["value"]
        if row["flag"]:
            found["flags"] = tuple(dict.fromkeys((*found["flags"], row["flag"])))
    return {alias: PublishedNumbers(**found) for alias, found in fields.items()}


def _field(row: Mapping[str, str]) -> str | None:
    """The field that a published row fills."""
    perturbation = row["perturbation"]
    if row["metric"] not in _METRICS or row["published_as"].endswith(_REPORTED):
        return None
    if perturbation == "none":
        return "clean"
    if perturbation.startswith("autoattack("):
        return "autoattack"
    if perturbation.startswith(BEST_KNOWN):
        return "best_known"
    return "corruptions" if perturbation.endswith("_c") else None
