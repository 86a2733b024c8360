"""Effective robustness: accuracy under a natural shift beyond what accuracy on clean images makes likely."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.special import expit, logit

from .build_score import score_of
from .cell_groups import model_of
from .score import Score

DRAWS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What models without extra data or a robustness intervention reach: a line between the logits of accuracies."""

    shift: str
    """Name of the benchmark, as is `clean`: the one whose accuracy predicts that on `shift`."""
    clean: str
    slope: float
    intercept: float
    r: float
    """Correlation of the logits."""
    models: int

    def expected(self, clean_accuracy: Any) -> Any:
        """Accuracy under the shift of a standard model, for a fraction or an array of them; 0 and 1 stay so."""
        return expit(self.slope * logit(clean_accuracy) + self.intercept)


@cache
def baselines() -> Mapping[str, Baseline]:
    """Baselines by the name of the shifted benchmark.

    Fitted to the standard models of the ImageNet testbed: 87, of which 82 were measured on ImageNet-R. ImageNet-A
    has none: its images were chosen for being hard for a ResNet-50, and accuracies on it lie on no line (r 0.90).
    Source: Taori et al. 2020, arXiv:2007.00644, section 2; accuracies of modestyachts/imagenet-testbed 0170eec.
    Differs: the code there leaves two of the standard models out of the fit, which moves slopes by under 0.001.
    """
    facts = json.loads((files("robustbench_eff") / "facts" / "baseline_models.json").read_text())
    return {shift: _fitted(shift, clean, facts["accuracies"]) for shift, clean in facts["clean"].items()}


def effective_robustness(
    baseline: Baseline, shift_right: int, shift_n: int, clean_right: int, clean_n: int, confidence: float = 0.95
) -> tuple[float, float, float]:
    """Accuracy under the shift less the one expected, in [-1, 1], with the ends of its interval.

    Of `shift_n` shifted images `shift_right` were right, and so of the clean ones, which are other images. The
    interval is that of 10,000 binomial draws of both accuracies: one of 0 or 1 has no spread, and the line is taken
    as given, although it stands on few models. Raises ValueError unless 0 <= right <= n and n >= 1.
    """
    for right, n in ((shift_right, shift_n), (clean_right, clean_n)):
        if not 0 <= right <= n or n < 1:
            raise ValueError(f"0 <= right <= n and n >= 1 are needed, got {right} of {n}.")
    shifted, clean = shift_right / shift_n, clean_right / clean_n
    random = np.random.Generator(np.random.SFC64(0))
    draws = random.binomial(shift_n, shifted, size=DRAWS) / shift_n
    draws = draws - baseline.expected(random.binomial(clean_n, clean, size=DRAWS) / clean_n)
    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2])
    return shifted - float(baseline.expected(clean)), float(low), float(high)


def _fitted(shift: str, clean: str, accuracies: Mapping[str, Mapping[str, float]]) -> Baseline:
    """Of all models measured on both."""
    measured = [model for model in accuracies.values() if shift in model and clean in model]
    on_clean, shifted = (logit([model[name] for model in measured]) for name in (clean, shift))
    slope, intercept = np.polyfit(on_clean, shifted, 1)
    return Baseline(
        shift=shift,
        clean=clean,
        slope=float(slope),
        intercept=float(intercept),
        r=float(np.corrcoef(on_clean, shifted)[0, 1]),
        models=len(measured),
    )


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
