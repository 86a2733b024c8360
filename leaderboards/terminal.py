"""A leaderboard on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from .grid import Cell, Grid, Label, by_model, by_number
from .table import Table

MOST_PARTS = 4
"""Maximum number of tables shown one below the other."""
GAP = 2
"""Characters between two columns."""
NARROWEST = 12
"""Characters into which a name is folded at most."""


def show(table: Table, console: Console, *, transposed: bool = False) -> None:
    """Print a table, its protocols and its warnings; in parts if the terminal is too narrow.

    Args:
        table: The table.
        console: Where to print.
        transposed: Whether the models are the columns.
    """
    grid = by_number(table) if transposed else by_model(table)
    parts = list(_parts(grid, console.width))
    left_out = sum(len(part) for part in parts[MOST_PARTS:])
    parts = parts[:MOST_PARTS]
    for number, columns in enumerate(parts, start=1):
        suffix = f", part {number} of {len(parts)}" if len(parts) > 1 else ""
        console.print(_rich_table(grid, columns, f"{table.title}{suffix}", console.width))
    for (kind, protocol), number in table.protocols.items():
        console.print(f"({number}) {kind}: {protocol}", style="dim", highlight=False, markup=False)
    for warning in table.warnings:
        console.print(warning, style="bold", highlight=False, markup=False)
    console.print(table.legend, style="dim", highlight=False, markup=False)
    if left_out:
        hint = "Select fewer by --benchmark, --family, --model or --columns, or write all with --out FILE.csv."
        console.print(f"{left_out} further columns are not shown. {hint}", style="bold", highlight=False)


def _parts(grid: Grid, width: int) -> Iterator[Sequence[int]]:
    """Yield indices of columns, as many at a time as fit next to the names of the lines."""
    available = width - sum(_name_widths(grid, width)) - GAP * len(grid.corner)
    part: list[int] = []
    used = 0
    for index in range(len(grid.heads)):
        needed = GAP + _width(grid, index)
        if part and used + needed > available:
            yield part
            part, used = [], 0
        part.append(index)
        used += needed
    yield part


def _name_widths(grid: Grid, width: int) -> list[int]:
    """Return the widths of the columns of names, the widest of which are folded if no number fits beside them."""
    widths = [max(len(text) for text in (head, *_names(grid, index))) for index, head in enumerate(grid.corner)]
    available = width - GAP * (len(widths) + 1) - max(_width(grid, index) for index in range(len(grid.heads)))
    while sum(widths) > available and max(widths) > NARROWEST:
        widest = widths.index(max(widths))
        widths[widest] = max(NARROWEST, widths[widest] - 1)
    return widths


def _names(grid: Grid, index: int) -> Iterator[str]:
    return (_text(line.names[index]) for line in grid.lines)


def _width(grid: Grid, index: int) -> int:
    """Return the width of a column at which no number and no word of the heading is cut."""
    cells = (_cell(line.cells[index]).plain for line in grid.lines)
    return max(len(text) for text in (*_text(grid.heads[index]).split(), *cells))


def _rich_table(grid: Grid, columns: Sequence[int], title: str, width: int) -> RichTable:
    shown = RichTable(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, GAP, 0, 0))
    for head, name_width in zip(grid.corner, _name_widths(grid, width), strict=True):
        shown.add_column(head, justify="right" if head == "rank" else "left", width=name_width, overflow="fold")
    for index in columns:
        shown.add_column(Text(_text(grid.heads[index])), justify="right", width=_width(grid, index))
    for line in grid.lines:
        shown.add_row(*(Text(_text(name)) for name in line.names), *(_cell(line.cells[index]) for index in columns))
    return shown


def _text(label: Label) -> str:
    """Return a label with the number of its footnote before its unit."""
    if label.note is None:
        return label.text
    words, _, unit = label.text.rpartition(" ")
    return f"{words} ({label.note}) {unit}"


def _cell(cell: Cell) -> Text:
    interval = f" {cell.interval}" if cell.interval else ""
    return Text.assemble((cell.number, "bold" if cell.is_best else ""), (interval, "dim"), no_wrap=True)
