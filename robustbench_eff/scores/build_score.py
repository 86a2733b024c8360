"""What every score of a cell says alike: whose it is, under which protocol, and what to know before trusting it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from robustbench_eff.core.shuffle import drawn_fairly
from robustbench_eff.storage.outcomes import as_numpy

from .bootstrap import mean_intervals
from .score import Score


def score_of(
    cell: dict[str, Any],
    outcomes: pa.Table,
    cell_id: str,
    metric: str,
    value: float | None,
    interval: tuple[float | None, float | None],
    n: int | None = None,
) -> Score:
    """A score of the cell that the store recorded as `cell`, on `n` samples: all unless said."""
    return Score(
        model=cell["model"],
        benchmark=cell["benchmark"],
        perturbation=cell["perturbation"],
        metric=metric,
        value=value,
        low=interval[0],
        high=interval[1],
        n=outcomes.num_rows if n is None else n,
        protocol=protocol_over([cell]),
        flags=flags_of(outcomes, cell["samples"]),
        cell=cell_id,
    )


def protocol_over(cells: Sequence[Mapping[str, Any]]) -> str:
    """Under which protocol cells on the same images were evaluated, with all their seeds and precisions."""
    seeds = ", ".join(map(str, seeds_of(cells)))
    precisions = " and ".join(sorted({cell["configuration"].get("precision", "float32") for cell in cells}))
    words = [f"seed {seeds}"] if seeds else []
    words += [] if precisions == "float32" else [f"attacked in {precisions}, judged in float32"]
    return " · ".join([cells[0]["protocol"], *words])


def seeds_of(cells: Sequence[Mapping[str, Any]]) -> list[int]:
    """With which seeds anything was drawn."""
    return sorted({cell["seed"] for cell in cells} - {None})


def scores_over(
    cells: Sequence[dict[str, Any]],
    shares: Mapping[tuple[str, str], npt.NDArray[np.float64]],
    flags: tuple[str, ...] = (),
) -> list[Score]:
    """Errors over several cells on the same images, drawn with one seed.

    `shares` are by perturbation and metric what each sample adds: a score is their mean, its interval the bootstrap's.
    """
    intervals = mean_intervals(np.stack([*shares.values()]))
    return [
        Score(
            model=cells[0]["model"],
            benchmark=cells[0]["benchmark"],
            perturbation=perturbation,
            metric=metric,
            value=float(values.mean()),
            low=low,
            high=high,
            n=len(values),
            protocol=protocol_over(cells),
            flags=flags,
            higher_is_better=False,
        )
        for ((perturbation, metric), values), (low, high) in zip(shares.items(), intervals, strict=True)
    ]


def flags_of(outcomes: pa.Table, samples: int) -> tuple[str, ...]:
    """Incompleteness, what the attack did otherwise than it says, and how often the referee objected."""
    found, n = [], outcomes.num_rows
    if n < samples:
        fair = n > 0 and drawn_fairly(as_numpy(outcomes["index"]), samples)
        found = [f"drawn at random: {n} of {samples}" if fair else f"incomplete: {n} of {samples}"]
    notes = sorted({note for note in outcomes["note"].unique().to_pylist() if note})
    objections = {row["values"]: row["counts"] for row in outcomes["flag"].value_counts().to_pylist() if row["values"]}
    return (*found, *notes, *(f"{flag}: {count}" for flag, count in sorted(objections.items())))
