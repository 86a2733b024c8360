"""Tables that are too wide for the terminal: numbers are never cut, because intervals and columns move down instead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.segment import Segments
from rich.table import Column, Table
from rich.text import Text

NARROWEST = 14
"""Columns of the terminal into which a name is folded at most."""
LONGEST_WORD = 24
"""Letters of a word above which it may be split."""


def print_table(table: Table, console: Console) -> None:
    """Print a table so that no number is cut, whatever the width of the console.

    Where the table does not fit, every interval goes to the line below its value and headings get a line per word.
    Where it still does not fit, its last columns follow in further tables, which repeat the names. A single column that
    is too wide has lines longer than the console.

    Args:
        table: The table; columns that are not to be folded have `no_wrap`, and those of names come first without.
        console: Where to print.
    """
    if _needed(table.columns) <= console.width:
        console.print(table)
        return
    for part in _parts(_stacked(table), console.width):
        _share_out(part.columns, console.width)
        width = max(_needed(part.columns), console.width)
        lines = console.render(part, console.options.update(width=width))
        console.print(Segments(lines), soft_wrap=True, end="")


def _stacked(table: Table) -> Table:
    """The table with every interval below its value, and the words of headings below each other."""
    stacked = Table(title=table.title, title_justify=table.title_justify)
    for column in table.columns:
        header = _text(column.header)
        heading = Text("\n".join(header.plain.split(" ")), header.style) if column.no_wrap else header
        stacked.add_column(heading, justify=column.justify, no_wrap=column.no_wrap, overflow=column.overflow)
    for row in zip(*(column.cells for column in table.columns), strict=True):
        cells = map(_text, row)
        stacked.add_row(
            *(_broken(text) if column.no_wrap else text for text, column in zip(cells, table.columns, strict=True))
        )
    return stacked


def _parts(table: Table, width: int) -> Iterator[Table]:
    """The table in parts that fit, as far as a single column with the names does."""
    count = next((index for index, column in enumerate(table.columns) if column.no_wrap), len(table.columns))
    names, others = table.columns[:count], table.columns[count:]
    taken: list[Column] = []
    title = table.title
    for column in others:
        if taken and _needed([*names, *taken, column]) > width:
            yield _of_columns([*names, *taken], title)
            taken, title = [], None
        taken.append(column)
    yield _of_columns([*names, *taken], title)


def _of_columns(columns: Sequence[Column], title: object) -> Table:
    part = Table(title=_text(title) if title else None, title_justify="left")
    for column in columns:
        part.add_column(column.header, justify=column.justify, no_wrap=column.no_wrap, overflow=column.overflow)
    for row in zip(*(column.cells for column in columns), strict=True):
        part.add_row(*row)
    return part


def _broken(text: Text) -> Text:
    """The text with its interval on a line of its own."""
    return Text(text.plain.replace(" [", "\n["), text.style)


def _text(cell: object) -> Text:
    return cell if isinstance(cell, Text) else Text(str(cell))


def _share_out(columns: Sequence[Column], width: int) -> None:
    """Give the columns of names the width that is left, so that rich does not split a word of one to widen another."""
    left = width - _needed(columns)
    for column in columns:
        if not column.no_wrap:
            own, widest = _least(column), max(map(cell_len, _lines(column)))
            column.width = min(widest, own + max(0, left))
            left -= column.width - own


def _needed(columns: Sequence[Column]) -> int:
    """The width below which something would be cut, a word split, or a name folded into fewer than NARROWEST."""
    return 3 * len(columns) + 1 + sum(map(_least, columns))


def _least(column: Column) -> int:
    widest = max(map(cell_len, _lines(column)))
    if column.no_wrap:
        return widest
    longest = max((cell_len(word) for line in _lines(column) for word in line.split()), default=0)
    return min(widest, max(NARROWEST, min(longest, LONGEST_WORD)))


def _lines(column: Column) -> list[str]:
    return [line for cell in (column.header, *column.cells) for line in _text(cell).plain.split("\n")]
