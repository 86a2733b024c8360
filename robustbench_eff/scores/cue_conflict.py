"""Shape against texture: whose class a model names when the two disagree.

Source: Geirhos et al. 2019, arXiv:1811.12231, section 2.3.
Differs: fractions are of the trials in which shape and texture disagree, not of all 1,280.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
import pyarrow as pa

from robustbench_eff.benchmarks.definitions.cue_conflict import class_name
from robustbench_eff.core.statistics import wilson
from robustbench_eff.storage.outcomes import as_numpy

from .build_score import score_of
from .score import Score

Classes = npt.NDArray[Any]
"""Indices or names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeTextureCounts:
    """How often each cue was named, of the trials in which they disagree."""

    shape: int
    texture: int
    trials: int

    @property
    def shape_bias(self) -> float | None:
        """Shape decisions among those for either cue; None where there are none."""
        decided = self.shape + self.texture
        return self.shape / decided if decided else None


def decisions(shapes: Classes, textures: Classes, predictions: Classes) -> ShapeTextureCounts:
    """Counts over trials, all arrays (n,); those with one class for both cues are left out."""
    conflicting = shapes != textures
    return ShapeTextureCounts(
        shape=int((conflicting & (predictions == shapes)).sum()),
        texture=int((conflicting & (predictions == textures)).sum()),
        trials=int(conflicting.sum()),
    )


def has_conflict(outcomes: pa.Table) -> bool:
    """Whether the samples are cue-conflict images."""
    return bool(outcomes.num_rows) and bool((as_numpy(outcomes["texture"]) >= 0).all())


def cue_conflict_scores(cell: dict[str, Any], outcomes: pa.Table, cell_id: str = "") -> list[Score]:
    """`shape_bias`, the fractions `shape_decisions` and `texture_decisions`, and `shape_bias of` each shape's class.

    Intervals are Wilson's. For a bias that is of the decided trials, whose number is taken as given: the bootstrap
    would have no width where a class was decided one way only.
    """
    shapes, textures, predictions = (as_numpy(outcomes[name]) for name in ("label", "texture", "prediction"))
    overall = decisions(shapes, textures, predictions)
    scores = [_bias(cell, outcomes, cell_id, "shape_bias", overall)]
    for metric, count in (("shape_decisions", overall.shape), ("texture_decisions", overall.texture)):
        value = count / overall.trials if overall.trials else None
        interval = wilson(count, overall.trials) if overall.trials else (None, None)
        scores.append(score_of(cell, outcomes, cell_id, metric, value, interval, n=overall.trials))
    for index in sorted(set(shapes.tolist())):
        mine = shapes == index
        found = decisions(shapes[mine], textures[mine], predictions[mine])
        metric = f"shape_bias of {class_name(cell['benchmark'], index)}"
        scores.append(_bias(cell, outcomes, cell_id, metric, found))
    return scores


def _bias(cell: dict[str, Any], outcomes: pa.Table, cell_id: str, metric: str, found: ShapeTextureCounts) -> Score:
    decided = found.shape + found.texture
    interval = wilson(found.shape, decided) if decided else (None, None)
    return score_of(cell, outcomes, cell_id, metric, found.shape_bias, interval, n=decided)
