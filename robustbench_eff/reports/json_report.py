"""Scores and checks of a run as one JSON object."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from robustbench_eff.core.errors import Missing
from robustbench_eff.core.infinity import strict_json
from robustbench_eff.scores.gate import Judgement
from robustbench_eff.scores.headline import headlines
from robustbench_eff.scores.incomplete_means import plain
from robustbench_eff.scores.masking_checks import Verdict
from robustbench_eff.scores.score import Score

from . import requirement_lines
from .incomplete_means import incomplete_means

if TYPE_CHECKING:
    from robustbench_eff.evaluation.failures import FailedCell


def json_object(
    scores: Iterable[Score],
    store: str,
    missing: Iterable[Missing],
    verdicts: Iterable[Verdict],
    failed: Iterable[FailedCell] = (),
    judgements: Sequence[Judgement] = (),
) -> str:
    """Return one JSON object; values are fractions or numbers as their metrics say, an infinite one the text `inf`.

    Args:
        scores: The scores.
        store: Folder or URL of the outcomes.
        missing: What was skipped.
        verdicts: Findings of the gradient-masking checks.
        failed: Evaluations without a number.
        judgements: Which requirements are met.
    """
    listed = list(scores)
    content = {
        "scores": [_score(score, leads) for score, leads in zip(listed, headlines(listed), strict=True)],
        "incomplete_means": [plain(incomplete, model) for model, incomplete in incomplete_means(listed)],
        "checks": [_check(verdict) for verdict in verdicts],
        "requirements": requirement_lines.plain(judgements),
        "store": store,
        "failed": [_failure(item) for item in failed],
        "missing": [{"what": item.what, "where": item.where, "how": item.how} for item in missing],
    }
    return json.dumps(strict_json(content), allow_nan=False)  # no score may be NaN


def _failure(item: FailedCell) -> dict[str, str]:
    names = {name: str(getattr(item.cell, name)) for name in ("model", "benchmark", "perturbation")}
    return names | {"message": item.error.message, "hint": item.error.hint}


def _check(verdict: Verdict) -> dict[str, Any]:
    return dataclasses.asdict(verdict) | {"protocol": str(verdict.protocol), "remedy": verdict.remedy}


def _score(score: Score, leads: bool) -> dict[str, Any]:
    names = ("model", "benchmark", "perturbation", "metric", "value", "low", "high", "searched_to", "n", "detail")
    fields = {name: getattr(score, name) for name in names}
    return fields | {"headline": leads, "protocol": str(score.protocol), "flags": list(score.flags)}
