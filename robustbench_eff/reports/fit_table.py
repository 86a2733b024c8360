"""Tables that are too wide for the terminal: numbers are never cut; intervals go below their values instead."""

from __future__ import annotations

from dataclasses import replace

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

NARROWEST = 10
"""Columns of the terminal below which a name is not folded."""


def print_table(table: Table, console: Console) -> None:
    """Print a table so that no number is cut, at any width of the console.

    Where it does not fit, each interval goes to a line below its value, and headings get a line per word; where it
    still does not, the table has no lines. Where even that does not fit, the lines are longer than the console is wide.

    Args:
        table: The table; columns of numbers are those with `no_wrap`.
        console: Where to print.
    """
    for shape in (table, _stacked(table), _without_lines(_stacked(table))):
        needed = _narrowest(shape)
        if needed <= console.width:
            console.print(shape)
            return
    console.print(shape, width=needed, crop=False)


def _stacked(table: Table) -> Table:
    """The table with every interval below its value, and the words of each heading below each other."""
    narrow = Table(title=table.title, title_justify=table.title_justify)
    for column in table.columns:
        header = _text(column.header)
        narrow.add_column(
            Text("\n".join(header.plain.split(" ")), header.style) if column.no_wrap else header,
            justify=column.justify,
            no_wrap=column.no_wrap,
            overflow=column.overflow,
        )
    for row in _rows(table):
        cells = [_broken(text) if column.no_wrap else text for text, column in zip(row, table.columns, strict=True)]
        narrow.add_row(*cells)
    return narrow


def _without_lines(table: Table) -> Table:
    plain = Table(title=table.title, title_justify=table.title_justify, box=None, padding=(0, 2, 0, 0))
    plain.columns = [replace(column) for column in table.columns]
    plain.rows = table.rows
    return plain


def _rows(table: Table) -> list[list[Text]]:
    return [[_text(cell) for cell in row] for row in zip(*(column.cells for column in table.columns), strict=True)]


def _broken(text: Text) -> Text:
    """The text with a new line before its interval, and before what stands in brackets behind that."""
    plain = text.plain.replace(" [", "\n[").replace("] (", "]\n(")
    return Text(plain, text.style)


def _text(cell: object) -> Text:
    return cell if isinstance(cell, Text) else Text(str(cell))


def _narrowest(table: Table) -> int:
    """The width below which a number would be cut, or a name folded into columns of fewer than NARROWEST."""
    width = 0
    for column in table.columns:
        texts = [_text(column.header), *map(_text, column.cells)]
        if column.no_wrap:
            width += max(cell_len(line) for text in texts for line in text.plain.split("\n"))
        else:
            width += min(NARROWEST, max(cell_len(text.plain) for text in texts))
    borders = 3 * len(table.columns) + 1 if table.box else 2 * len(table.columns)
    return width + borders
