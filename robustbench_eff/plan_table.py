"""What a run would do and take, as a table for each device and as plain rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from robustbench_eff.api.planning import Estimate


def plan_tables(
    found: Mapping[str, Sequence[Estimate]], workers: Mapping[str, int], price: float | None
) -> Iterator[tuple[Table, str]]:
    """For each device a row a cell, and below what all of them come to on that many `workers`; `price` is that of an
    hour of one device."""
    for device, cells in found.items():
        table = Table(title=f"On {device}, what is left to do", title_justify="left")
        for name in ("model", "benchmark", "perturbation"):
            table.add_column(name, overflow="fold")
        for name in ("samples", "shards", "passes", "time", ""):
            table.add_column(name, justify="right", no_wrap=True)
        for of in cells:
            cell = of.planned.cell
            row = [cell.model, cell.benchmark, cell.perturbation, f"{of.left:,}", f"{of.shards:,}"]
            row += [f"{of.passes:,.0f}", _span(of.seconds), of.how]
            table.add_row(*map(Text, row))
        seconds, shards, passes = (sum(getattr(of, name) for of in cells) for name in ("seconds", "shards", "passes"))
        most = "at most " if any(of.how == "at most" for of in cells) else ""
        words = [f"{len(cells)} cells, {shards:,} shards, {passes:,.0f} passes; {most}{_span(seconds)} on one {device}"]
        if workers[device] > 1:
            words.append(f"{_span(seconds / workers[device])} on {workers[device]}")
        if price is not None:
            words.append(f"{most}{price * seconds / 3600:,.2f} at {price:,.2f} an hour")
        yield table, "; ".join(words) + "."


def plan_rows(cells: Sequence[Estimate]) -> list[dict[str, Any]]:
    """The same as plain JSON types."""
    return [
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
        for of in cells
    ]


def _span(seconds: float) -> str:
    """A time in the unit that a person would take."""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"
