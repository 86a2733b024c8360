"""Shape against texture: whose class a model names when the two disagree.

Source: Geirhos et al. 2019, arXiv:1811.12231, section 2.3.
Differs: fractions are of the trials in which shape and texture disagree, not of all 1,280.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from robustbench_eff.benchmarks.definitions.cue_conflict import class_name
from robustbench_eff.core.statistics import proportion_interval

from .build_score import score_of
from .cell_groups import CellOutcomes
from .score import Score
from .score_function import CellScores

Classes = npt.NDArray[Any]
"""Indices or names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeTextureCounts:
    """Counts of decisions in the trials in which shape and texture disagree."""

    shape: int
    """Trials in which the class of the shape was named."""
    texture: int
    """Trials in which the class of the texture was named."""
    trials: int
    """All trials in which the two disagree."""

    @property
    def shape_bias(self) -> float | None:
        """Share of shape decisions among the decisions for either cue; None without any."""
        decided = self.shape + self.texture
        return self.shape / decided if decided else None


def decisions(shapes: Classes, textures: Classes, predictions: Classes) -> ShapeTextureCounts:
    """Count the decisions of some trials; trials with one class for both cues are left out.

    Args:
        shapes: Class of the shape of each stimulus, shape (n,).
        textures: Class of the texture, shape (n,).
        predictions: Class that was named, shape (n,).
    """
    conflicting = shapes != textures
    return ShapeTextureCounts(
        shape=int((conflicting & (predictions == shapes)).sum()),
        texture=int((conflicting & (predictions == textures)).sum()),
        trials=int(conflicting.sum()),
    )


def cue_conflict_scores(item: CellOutcomes) -> list[Score]:
    """Return `shape_bias`, `shape_decisions`, `texture_decisions`, and `shape_bias of` each shape's class.

    The interval of a bias takes the number of decided trials as given.

    Args:
        item: A cell of cue-conflict images with its outcomes.
    """
    shapes, textures, predictions = (item.column(name) for name in ("label", "texture", "prediction"))
    overall = decisions(shapes, textures, predictions)
    scores = [_bias(item, "shape_bias", overall)]
    for metric, count in (("shape_decisions", overall.shape), ("texture_decisions", overall.texture)):
        value = count / overall.trials if overall.trials else None
        interval = proportion_interval(count, overall.trials) if overall.trials else (None, None)
        scores.append(score_of(item, metric, value, interval, n=overall.trials))
    for index in sorted(set(shapes.tolist())):
        of_class = shapes == index
        counts = decisions(shapes[of_class], textures[of_class], predictions[of_class])
        scores.append(_bias(item, f"shape_bias of {class_name(item.cell.benchmark, index)}", counts))
    return scores


def _bias(item: CellOutcomes, metric: str, counts: ShapeTextureCounts) -> Score:
    decided = counts.shape + counts.texture
    interval = proportion_interval(counts.shape, decided) if decided else (None, None)
    return score_of(item, metric, counts.shape_bias, interval, n=decided)


CUE_CONFLICT = CellScores(
    compute=cue_conflict_scores, kinds=("cue conflict",), columns=("sample_id", "texture", "prediction")
)
