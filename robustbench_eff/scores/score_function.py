"""How metrics are computed from stored outcomes: the rows of the table of scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from robustbench_eff.core.metric import Metric

from .alexnet import AlexNet, published
from .cell_groups import CellKind, CellOutcomes
from .score import Score


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreContext:
    """The data besides outcomes from which scores are computed."""

    alexnet: AlexNet = field(default_factory=published)
    """Errors and flip probabilities of AlexNet, to which mCE and mFR are relative."""
    radii: Sequence[float] = ()
    """L2 radii at which certified accuracy is computed; empty for a grid that depends on the noise."""
    suspicions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Suspicions of the gradient-masking checks, by the id of the cell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellScores:
    """Scores of one cell at a time."""

    compute: Callable[[CellOutcomes], list[Score]]
    kinds: tuple[CellKind, ...]
    """The kinds of cells that it is computed for."""
    columns: tuple[str, ...] = ()
    """Columns of the outcomes that it reads besides `cell_groups.BASE_COLUMNS`."""
    metrics: tuple[Metric, ...] = ()
    """Metrics that a plugin adds, named `vendor/name`; the package's own stand in `core.metric.METRICS`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupScores:
    """Scores over several cells."""

    compute: Callable[[Sequence[CellOutcomes], ScoreContext], list[Score]]
    kinds: tuple[CellKind, ...]
    """The kinds of cells that it is computed from."""
    over: Literal["comparable cells", "store"]
    """Whether it is called with each group of comparable finished cells, or once with all cells of a store."""
    columns: tuple[str, ...] = ()
    """Columns of the outcomes that it reads besides `cell_groups.BASE_COLUMNS`."""
    metrics: tuple[Metric, ...] = ()
    """Metrics that a plugin adds, named `vendor/name`; the package's own stand in `core.metric.METRICS`."""


ScoreFunction = CellScores | GroupScores
"""A row of the table of scores."""
