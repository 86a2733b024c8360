"""Effective robustness of the models of a store: accuracy under a shift beside what clean accuracy makes likely."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from .cells import model_of
from .effective import baselines, effective_robustness
from .of_cell import score_of
from .score import Score


def effective_scores(cells: Sequence[tuple[dict[str, Any], pa.Table]]) -> list[Score]:
    """`effective_robustness` of every model that was measured both under a shift and on its clean benchmark.

    `cells` are clean ones with their outcomes; unfinished ones do not count. Where a model has several sets of clean
    images, such as the first 1,000 and all, the largest is taken, and how many they are is said.
    """
    finished = [(cell, outcomes) for cell, outcomes in cells if 0 < outcomes.num_rows == cell["samples"]]
    clean: dict[tuple[tuple[str, str], str], pa.Table] = {}
    for cell, outcomes in sorted(finished, key=lambda found: found[1].num_rows):
        clean[model_of(cell), cell["benchmark"]] = outcomes
    scores = []
    for cell, outcomes in finished:
        baseline = baselines().get(cell["benchmark"])
        compared = None if baseline is None else clean.get((model_of(cell), baseline.clean))
        if baseline is None or compared is None:
            continue
        value, low, high = effective_robustness(
            baseline, _right(outcomes), outcomes.num_rows, _right(compared), compared.num_rows
        )
        score = score_of(cell, outcomes, "", "effective_robustness", value, (low, high))
        line = f"beyond the line of {baseline.models} standard models, r {baseline.r:.3f}"
        words = f"{score.protocol} · {line}, through {baseline.clean} with n = {compared.num_rows}"
        scores.append(replace(score, protocol=words))
    return scores


def _right(outcomes: pa.Table) -> int:
    return int(pc.sum(outcomes["correct"]).as_py() or 0)
