"""Build scores: their protocol and flags follow from the cells they are computed from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import pyarrow as pa

from robustbench_eff.core.protocol import Protocol
from robustbench_eff.core.shuffle import drawn_fairly
from robustbench_eff.storage.outcomes import as_numpy
from robustbench_eff.storage.stored_cell import StoredCell

from .bounded_means import Contribution, mean_interval
from .cell_groups import CellOutcomes, seeds_of
from .score import Score

Interval: TypeAlias = tuple[float | None, float | None]
"""Lower and upper end; None where there is none."""
Contributions: TypeAlias = Mapping[tuple[str, str], Contribution]
"""What each sample adds to a score, by perturbation and metric."""
ScoreFlags: TypeAlias = Mapping[tuple[str, str], tuple[str, ...]]
"""Flags of scores by perturbation and metric."""


def score_of(item: CellOutcomes, metric: str, value: float | None, interval: Interval, n: int | None = None) -> Score:
    """Return a score of one cell.

    Args:
        item: The cell with its outcomes.
        metric: Name of the metric with its arguments.
        value: The number; None where nothing was measured.
        interval: Its 95 % interval.
        n: Number of samples; None for all that are stored.
    """
    cell = item.cell
    of_one_order = cell.orders > 1 and metric != "accuracy"
    return Score(
        model=cell.model,
        benchmark=cell.benchmark,
        perturbation=cell.perturbation,
        kind=cell.kind,
        metric=metric,
        value=value,
        low=interval[0],
        high=interval[1],
        n=len(item) if n is None else n,
        protocol=protocol_over([cell]),
        flags=(
            *cell_flags(item),
            *([f"of the first of {cell.orders} orders"] if of_one_order else []),
        ),
        cell=cell.id,
        configuration=cell.configuration,
    )


def protocol_over(cells: Sequence[StoredCell]) -> Protocol:
    """Return the protocol of a number over cells on the same images, with all their seeds and precisions.

    Args:
        cells: At least one cell.
    """
    precisions = tuple(sorted({cell.precision for cell in cells}))
    return replace(
        cells[0].protocol,
        seeds=tuple(seeds_of(cells)),
        attack_precision=precisions,
        smoothing=_smoothing_sentence(cells[0].smoothing),
    )


def _smoothing_sentence(smoothing: Mapping[str, Any] | None) -> str:
    """How a smoothed classifier votes; empty without one."""
    if smoothing is None:
        return ""
    names = ("sigma", "n0", "n", "alpha")
    sigma, n0, n, alpha = (smoothing[name] for name in names)
    return f"smoothed with noise of σ {sigma:g}, {n0:,} + {n:,} draws, α {alpha:g}"


def scores_over(cells: Sequence[CellOutcomes], contributions: Contributions, flags: ScoreFlags) -> list[Score]:
    """Return scores over several cells on the same images, each the mean of what its samples add.

    Args:
        cells: The cells, drawn with one seed.
        contributions: What each sample adds to a score.
        flags: Flags of the scores, with those of all cells that each is computed from.
    """
    first = cells[0].cell
    return [
        Score(
            model=first.model,
            benchmark=first.benchmark,
            perturbation=perturbation,
            kind="several",
            metric=metric,
            value=float(added.values.mean()),
            low=low,
            high=high,
            n=len(added.values),
            protocol=protocol_over([item.cell for item in cells]),
            flags=flags[perturbation, metric],
        )
        for (perturbation, metric), added in contributions.items()
        for low, high in [mean_interval(*added)]
    ]


def cell_flags(item: CellOutcomes) -> tuple[str, ...]:
    """Return the flags of a cell and of its outcomes.

    Args:
        item: The cell with its outcomes.
    """
    return (*item.cell.flags, *flags_of(item.outcomes, item.cell.samples))


def flags_of(outcomes: pa.Table, samples: int) -> tuple[str, ...]:
    """Return what a reader must know of a cell: incompleteness, notes of the attack, objections of the referee.

    Args:
        outcomes: The stored outcomes, with the columns index, note and flag.
        samples: Number of samples of the complete cell.
    """
    flags, n = [], outcomes.num_rows
    if n < samples:
        fair = n > 0 and drawn_fairly(as_numpy(outcomes["index"]), samples)
        flags = [f"drawn at random: {n} of {samples}" if fair else f"incomplete: {n} of {samples}"]
    notes = sorted({note for note in outcomes["note"].unique().to_pylist() if note})
    counts = {row["values"]: row["counts"] for row in outcomes["flag"].value_counts().to_pylist() if row["values"]}
    return (*flags, *notes, *(f"{flag}: {count}" for flag, count in sorted(counts.items())))
