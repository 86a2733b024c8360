"""A leaderboard on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table as Shown
from rich.text import Text

from .table import Column, Table, TableValue, figure_text, interval_text, rank_text, unit_text
from .table_formats import LEGEND

MOST_PARTS = 4
"""So many tables are shown, one below the other."""
GAP = 2
"""Characters between two columns."""


def show(table: Table, console: Console) -> None:
    """With the protocols below, and what masking checks suspect; in parts where the terminal is too narrow."""
    parts = list(_parts(table, console.width))
    left_out = sum(len(part) for part in parts[MOST_PARTS:])
    parts = parts[:MOST_PARTS]
    for number, columns in enumerate(parts, start=1):
        of = f", part {number} of {len(parts)}" if len(parts) > 1 else ""
        console.print(_shown(table, columns, f"{table.title}{of}"))
    for (kind, protocol), number in table.protocols.items():
        console.print(f"({number}) {kind}: {protocol}", style="dim", highlight=False, markup=False)
    for text in table.warnings:
        console.print(text, style="bold", highlight=False, markup=False)
    console.print(LEGEND, style="dim")
    if left_out:
        words = "Narrow the question by --benchmark, --family or --columns, or write all with --out FILE.csv."
        console.print(f"{left_out} further columns are not shown. {words}", style="bold", highlight=False)


def _parts(table: Table, width: int) -> Iterator[Sequence[int]]:
    """The columns, as many at a time as fit beside the names of the models."""
    names = max(len(row.name) for row in table.rows) + max(len(row.defense) for row in table.rows)
    room = width - names - len("rank") - 3 * GAP
    part: list[int] = []
    used = 0
    for place in range(len(table.columns)):
        wide = GAP + _width(table, place)
        if part and used + wide > room:
            yield part
            part, used = [], 0
        part.append(place)
        used += wide
    yield part


def _width(table: Table, place: int) -> int:
    """Of a column: no number is cut, and no word of the heading."""
    column = table.columns[place]
    cells = (_cell(row.figures[place], column, table.digits).plain for row in table.rows)
    return max(len(text) for text in (*_head(table, column).split(), *cells))


def _shown(table: Table, columns: Sequence[int], title: str) -> Shown:
    shown = Shown(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, GAP, 0, 0))
    shown.add_column("rank", justify="right", no_wrap=True)
    shown.add_column("model", no_wrap=True)
    shown.add_column("defense", no_wrap=True)
    for place in columns:
        shown.add_column(Text(_head(table, table.columns[place])), justify="right", min_width=_width(table, place))
    for row in table.rows:
        cells = [_cell(row.figures[place], table.columns[place], table.digits) for place in columns]
        shown.add_row(rank_text(row.ranks), Text(row.name), Text(row.defense), *cells)
    return shown


def _head(table: Table, column: Column) -> str:
    note = table.protocols[column.kind, column.protocol]
    return f"{column.label} ({note}) {unit_text(column.unit, column.higher_is_better)}"


def _cell(figure: TableValue | None, column: Column, digits: int) -> Text:
    best = figure is not None and figure.is_best
    number, ends = figure_text(figure, column, digits), interval_text(figure, column, digits)
    return Text.assemble((number, "bold" if best else ""), (f" {ends}" if ends else "", "dim"), no_wrap=True)
