"""A leaderboard on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from .table import Column, Table, TableValue, figure_text, interval_text, rank_text, unit_text
from .table_formats import LEGEND

MOST_PARTS = 4
"""Maximum number of tables shown one below the other."""
GAP = 2
"""Characters between two columns."""


def show(table: Table, console: Console) -> None:
    """Print a table, its protocols and its warnings; in parts if the terminal is too narrow.

    Args:
        table: The table.
        console: Where to print.
    """
    parts = list(_parts(table, console.width))
    left_out = sum(len(part) for part in parts[MOST_PARTS:])
    parts = parts[:MOST_PARTS]
    for number, columns in enumerate(parts, start=1):
        suffix = f", part {number} of {len(parts)}" if len(parts) > 1 else ""
        console.print(_rich_table(table, columns, f"{table.title}{suffix}"))
    for (kind, protocol), number in table.protocols.items():
        console.print(f"({number}) {kind}: {protocol}", style="dim", highlight=False, markup=False)
    for warning in table.warnings:
        console.print(warning, style="bold", highlight=False, markup=False)
    console.print(LEGEND, style="dim")
    if left_out:
        hint = "Select fewer by --benchmark, --family or --columns, or write all with --out FILE.csv."
        console.print(f"{left_out} further columns are not shown. {hint}", style="bold", highlight=False)


def _parts(table: Table, width: int) -> Iterator[Sequence[int]]:
    """Yield indices of columns, as many at a time as fit next to the names of the models."""
    names = max(len(row.name) for row in table.rows) + max(len(row.defense) for row in table.rows)
    available = width - names - len("rank") - 3 * GAP
    part: list[int] = []
    used = 0
    for index in range(len(table.columns)):
        needed = GAP + _width(table, index)
        if part and used + needed > available:
            yield part
            part, used = [], 0
        part.append(index)
        used += needed
    yield part


def _width(table: Table, index: int) -> int:
    """Return the width of a column at which no number and no word of the heading is cut."""
    column = table.columns[index]
    cells = (_cell(row.figures[index], column, table.digits).plain for row in table.rows)
    return max(len(text) for text in (*_head(table, column).split(), *cells))


def _rich_table(table: Table, columns: Sequence[int], title: str) -> RichTable:
    shown = RichTable(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, GAP, 0, 0))
    shown.add_column("rank", justify="right", no_wrap=True)
    shown.add_column("model", no_wrap=True)
    shown.add_column("defense", no_wrap=True)
    for index in columns:
        shown.add_column(Text(_head(table, table.columns[index])), justify="right", min_width=_width(table, index))
    for row in table.rows:
        cells = [_cell(row.figures[index], table.columns[index], table.digits) for index in columns]
        shown.add_row(rank_text(row.ranks), Text(row.name), Text(row.defense), *cells)
    return shown


def _head(table: Table, column: Column) -> str:
    note = table.protocols[column.kind, column.protocol]
    return f"{column.label} ({note}) {unit_text(column.unit, column.higher_is_better)}"


def _cell(figure: TableValue | None, column: Column, digits: int) -> Text:
    is_best = figure is not None and figure.is_best
    number, interval = figure_text(figure, column, digits), interval_text(figure, column, digits)
    return Text.assemble((number, "bold" if is_best else ""), (f" {interval}" if interval else "", "dim"), no_wrap=True)
