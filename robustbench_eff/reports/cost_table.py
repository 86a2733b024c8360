"""What a run would do and take, as a table for each device and as plain rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from robustbench_eff.evaluation.cost_estimate import Forecast


def plan_tables(found: Sequence[Forecast], price: float | None) -> Iterator[tuple[Table, str]]:
    """For each kind of device a row a cell, and below what all of them come to; `price` is that of an hour of one."""
    for forecast in found:
        cells, seconds = forecast.cells, forecast.seconds
        table = Table(title=f"On {forecast.device}, what is left to do", title_justify="left")
        for name in ("model", "benchmark", "perturbation"):
            table.add_column(name, overflow="fold")
        for name in ("samples", "shards", "passes", "time", ""):
            table.add_column(name, justify="right", no_wrap=True)
        for of in cells:
            cell = of.planned.cell
            row = [cell.model, cell.benchmark, cell.perturbation, f"{of.left:,}", f"{of.shards:,}"]
            row += [f"{of.passes:,.0f}", _span(of.seconds), of.how]
            table.add_row(*map(Text, row))
        shards, passes = (sum(getattr(of, name) for of in cells) for name in ("shards", "passes"))
        most = "at most " if any(of.how == "at most" for of in cells) else ""
        words = [f"{len(cells)} cells, {shards:,} shards, {passes:,.0f} passes; {most}{_span(seconds)} on one"]
        if forecast.count > 1:
            words.append(f"{_span(seconds / forecast.count)} on {forecast.count}")
        if price is not None:
            words.append(f"{most}{price * seconds / 3600:,.2f} at {price:,.2f} an hour")
        yield table, "; ".join(words) + "."


def plan_rows(found: Sequence[Forecast], price: float | None) -> list[dict[str, Any]]:
    """The same as plain JSON types."""
    return [
        {
            "device": forecast.device,
            "count": forecast.count,
            "seconds": forecast.seconds,
            "cost": None if price is None else price * forecast.seconds / 3600,
            "cells": [
                {
                    "model": of.planned.cell.model,
                    "benchmark": of.planned.cell.benchmark,
                    "perturbation": of.planned.cell.perturbation,
                    "cell": of.planned.cell.id,
                    "samples": of.left,
                    "shards": of.shards,
                    "passes": of.passes,
                    "seconds": of.seconds,
                    "how": of.how,
                }
                for of in forecast.cells
            ],
        }
        for forecast in found
    ]


def _span(seconds: float) -> str:
    """A time in the unit that a person would take."""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"
