"""The estimated cost of a run, as a table per device and as plain rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from robustbench_eff.scores.number_text import duration

from .score_rows import Printed

if TYPE_CHECKING:
    from robustbench_eff.evaluation.cost_estimate import Forecast


def plan_tables(forecasts: Sequence[Forecast], price: float | None) -> Iterator[Printed]:
    """Yield one table per kind of device with a row per cell, and the totals below it.

    Args:
        forecasts: The forecasts.
        price: Price of an hour of one device; None to leave out the cost.
    """
    for forecast in forecasts:
        table = Table(title=f"Remaining work on {forecast.device}", title_justify="left")
        for name in ("model", "benchmark", "perturbation"):
            table.add_column(name, overflow="fold")
        for name in ("samples", "shards", "passes", "time", ""):
            table.add_column(name, justify="right", no_wrap=True)
        for estimate in forecast.cells:
            cell = estimate.planned.cell
            row = [cell.model, cell.benchmark, cell.perturbation, f"{estimate.left:,}", f"{estimate.shards:,}"]
            row += [f"{estimate.passes:,.0f}", duration(estimate.seconds), estimate.how]
            table.add_row(*map(Text, row))
        yield Printed(table, _totals(forecast, price))


def _totals(forecast: Forecast, price: float | None) -> str:
    cells, seconds = forecast.cells, forecast.seconds
    shards, passes = (sum(getattr(estimate, name) for estimate in cells) for name in ("shards", "passes"))
    most = "at most " if any(estimate.how == "at most" for estimate in cells) else ""
    parts = [f"{len(cells)} cells, {shards:,} shards, {passes:,.0f} passes; {most}{duration(seconds)} on one"]
    if forecast.count > 1:
        parts.append(f"{duration(seconds / forecast.count)} on {forecast.count}")
    if price is not None:
        parts.append(f"{most}{price * seconds / 3600:,.2f} at {price:,.2f} an hour")
    return "; ".join(parts) + "."


def plan_rows(forecasts: Sequence[Forecast], price: float | None) -> list[dict[str, Any]]:
    """Return the forecasts as plain JSON types.

    Args:
        forecasts: The forecasts.
        price: Price of an hour of one device; None to leave out the cost.
    """
    return [
        {
            "device": forecast.device,
            "count": forecast.count,
            "seconds": forecast.seconds,
            "cost": None if price is None else price * forecast.seconds / 3600,
            "cells": [
                {
                    "model": estimate.planned.cell.model,
                    "benchmark": estimate.planned.cell.benchmark,
                    "perturbation": estimate.planned.cell.perturbation,
                    "cell": estimate.planned.cell.id,
                    "samples": estimate.left,
                    "shards": estimate.shards,
                    "passes": estimate.passes,
                    "seconds": estimate.seconds,
                    "how": estimate.how,
                }
                for estimate in forecast.cells
            ],
        }
        for forecast in forecasts
    ]
