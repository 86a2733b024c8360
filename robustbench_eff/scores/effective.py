"""Effective robustness: accuracy under a natural shift beyond what accuracy on clean images makes likely."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit, stdtrit

from robustbench_eff.core.flags import flags_over
from robustbench_eff.core.statistics import proportion_interval

from .build_score import cell_flags, score_of
from .cell_groups import CellOutcomes
from .chance import chance_flag
from .score import Score
from .score_function import GroupScores, ScoreContext


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The accuracy of models without extra data or a robustness intervention: a line between logits of accuracies."""

    shift: str
    """Name of the shifted benchmark."""
    clean: str
    """Name of the benchmark whose accuracy predicts that on `shift`."""
    slope: float
    intercept: float
    r: float
    """Correlation of the logits."""
    models: int
    """Number of models that the line was fitted to."""
    deviation: float
    """Standard deviation of the models' logits around the line, with two degrees of freedom less than models."""
    center: float
    """Mean of the models' logits on clean images."""
    squares: float
    """Sum of their squared distances from the mean."""

    def expected(self, clean_accuracy: float, quantile: float = 0.0) -> float:
        """Return the accuracy of a standard model under the shift; 0 and 1 stay as they are.

        Args:
            clean_accuracy: A fraction.
            quantile: Standard errors above the line, those of a prediction: they hold the spread of the models around
                the line and the uncertainty of the line.
        """
        distance = float(logit(clean_accuracy))
        if math.isinf(distance):
            return clean_accuracy
        error = self.deviation * math.sqrt(1 + 1 / self.models + (distance - self.center) ** 2 / self.squares)
        return float(expit(self.slope * distance + self.intercept + quantile * error))


@cache
def baselines() -> Mapping[str, Baseline]:
    """Return the baselines by the name of the shifted benchmark.

    They are fitted to the standard models of the ImageNet testbed: 87, of which 82 were measured on ImageNet-R.
    ImageNet-A has none: its images were chosen for being hard for a ResNet-50, and accuracies on it do not lie on a
    line (r 0.90).
    Source: Taori et al. 2020, arXiv:2007.00644, section 2; accuracies of modestyachts/imagenet-testbed 0170eec.
    Differs: the code there leaves two of the standard models out of the fit, which moves slopes by under 0.001.
    """
    facts = json.loads((files("robustbench_eff") / "facts" / "baseline_models.json").read_text())
    return {shift: _fitted(shift, clean, facts["accuracies"]) for shift, clean in facts["clean"].items()}


class Count(NamedTuple):
    """Correctly classified samples of all samples."""

    correct: float
    """A fraction of a sample where several votes disagree."""
    n: int


class Estimate(NamedTuple):
    """A value with the ends of its interval."""

    value: float
    low: float
    high: float


def effective_robustness(baseline: Baseline, shifted: Count, clean: Count, confidence: float = 0.95) -> Estimate:
    """Return the accuracy under a shift minus the expected one, in [-1, 1], with its interval.

    A standard model lies within the interval around 0 with the given probability: the interval joins those of both
    accuracies and that of the prediction for one more standard model, which holds the spread of these models around
    the line.

    Args:
        baseline: The line of standard models.
        shifted: Correctly classified images under the shift.
        clean: Correctly classified clean images, which are other images.
        confidence: Coverage of the interval.

    Raises:
        ValueError: Not 0 <= correct <= n, or n < 1.

    Source: Zou & Donner 2008, Statistics in Medicine 27(10), for the interval of a difference from those of its parts.
    """
    for correct, n in (shifted, clean):
        if not 0 <= correct <= n or n < 1:
            raise ValueError(f"0 <= correct <= n and n >= 1 are needed, got {correct} of {n}.")
    rate, clean_rate = shifted.correct / shifted.n, clean.correct / clean.n
    expected = baseline.expected(clean_rate)
    value = rate - expected
    low, high = proportion_interval(*shifted, confidence)
    clean_low, clean_high = proportion_interval(*clean, confidence)
    quantile = float(stdtrit(baseline.models - 2, (1 + confidence) / 2))
    below = math.hypot(expected - baseline.expected(clean_low), expected - baseline.expected(clean_rate, -quantile))
    above = math.hypot(baseline.expected(clean_high) - expected, baseline.expected(clean_rate, quantile) - expected)
    down, up = math.hypot(rate - low, above), math.hypot(high - rate, below)
    return Estimate(value, max(-1.0, value - down), min(1.0, value + up))


def _fitted(shift: str, clean: str, accuracies: Mapping[str, Mapping[str, float]]) -> Baseline:
    """The line through all models that were measured on both."""
    measured = [model for model in accuracies.values() if shift in model and clean in model]
    on_clean, shifted = (logit([model[name] for model in measured]) for name in (clean, shift))
    slope, intercept = np.polyfit(on_clean, shifted, 1)
    residuals = shifted - slope * on_clean - intercept
    return Baseline(
        shift=shift,
        clean=clean,
        slope=float(slope),
        intercept=float(intercept),
        r=float(np.corrcoef(on_clean, shifted)[0, 1]),
        models=len(measured),
        deviation=float(np.sqrt((residuals**2).sum() / (len(measured) - 2))),
        center=float(on_clean.mean()),
        squares=float(((on_clean - on_clean.mean()) ** 2).sum()),
    )


def effective_scores(cells: Sequence[CellOutcomes], context: ScoreContext) -> list[Score]:
    """Return `effective_robustness` of every model that was evaluated both under a shift and on its clean benchmark.

    Unfinished cells do not count. If a model has several sets of clean images, such as the first 1,000 and all, the
    largest is taken, and the protocol says how many images it has. The score has the flags of both accuracies.

    Args:
        cells: Clean cells with their outcomes.
        context: Its suspicions become flags.
    """
    finished = [item for item in cells if item.finished]
    clean: dict[tuple[object, ...], CellOutcomes] = {}
    for item in sorted(finished, key=len):
        clean[item.cell.model_identity, item.cell.protocol.stream, item.cell.benchmark] = item
    scores = []
    for item in finished:
        baseline = baselines().get(item.cell.benchmark)
        subject = item.cell.model_identity, item.cell.protocol.stream
        compared = None if baseline is None else clean.get((*subject, baseline.clean))
        if baseline is None or compared is None:
            continue
        estimate = effective_robustness(baseline, _count(item), _count(compared))
        score = replace(score_of(item, "effective_robustness", estimate.value, (estimate.low, estimate.high)), cell="")
        both = [(*cell_flags(of), *chance_flag(of), *context.suspicions.get(of.cell.id, ())) for of in (item, compared)]
        score = replace(score, flags=flags_over(both, "accuracies"))
        line = f"beyond the line of {baseline.models} standard models, r {baseline.r:.3f}"
        line += f", through {baseline.clean} with n = {len(compared)}"
        scores.append(replace(score, protocol=replace(score.protocol, baseline=line)))
    return scores


def _count(item: CellOutcomes) -> Count:
    return Count(float(item.right_shares.sum()), len(item))


EFFECTIVE_ROBUSTNESS = GroupScores(compute=effective_scores, kinds=("clean",), over="store")
