"""Scores and checks of a run as one JSON object."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from robustbench_eff.core.errors import Missing
from robustbench_eff.scores.score import Score

if TYPE_CHECKING:
    from robustbench_eff.scores.masking_checks import Verdict


def json_object(scores: Iterable[Score], store: str, missing: Iterable[Missing], verdicts: Iterable[Verdict]) -> str:
    """One JSON object with values as fractions."""
    return json.dumps(
        {
            "scores": [_plain(score) for score in scores],
            "checks": [dataclasses.asdict(verdict) for verdict in verdicts],
            "store": store,
            "missing": [{"what": item.what, "where": item.where, "how": item.how} for item in missing],
        },
        ensure_ascii=False,
    )


def _plain(score: Score) -> dict[str, Any]:
    names = ("model", "benchmark", "perturbation", "metric", "value", "low", "high", "n", "protocol")
    return {name: getattr(score, name) for name in names} | {"flags": list(score.flags)}
