"""How wide and how high the parts of a LaTeX table are, from the widths of letters in Computer Modern."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import cache

from .grid import Cell, Grid, Line
from .latex_layout import Layout
from .latex_text import width

FONT = 8.5
r"""Size of \footnotesize in points."""
SMALL = 7.6
"""Size in points of the ends of intervals, whose letters are wider for their size."""
GAP = 6.0
"""Space between columns in points."""
BOLD = 1.16
"""How much wider bold digits are."""
WIDEST = {"model": 108.0, "defense": 84.0, "": 108.0}
"""Widths in points at which names of lines are broken, by the heading above them."""
WIDEST_OTHER = 60.0
"""The same for everything else."""
NOTE = 8.0
"""Width of the number of a footnote."""


def grid_width(grid: Grid, layout: Layout) -> float:
    """Return an upper estimate of the width of a table in points.

    Args:
        grid: The table.
        layout: The place that it has on a page.
    """
    names = [
        max(
            _stack_width(text, widest(head, layout))
            for text in (head, *(line.names[index].text for line in grid.lines))
        )
        for index, head in enumerate(grid.corner)
    ]
    numbers = [
        max(
            _stack_width(head.text, widest_other(layout)) + NOTE,
            *(_cell_width(line.cells[index]) for line in grid.lines),
        )
        for index, head in enumerate(grid.heads)
    ]
    return sum(names) + sum(numbers) + GAP * (len(names) + len(numbers))


def widest(head: str, layout: Layout) -> float:
    """Return the width in points at which names below a heading are broken.

    Args:
        head: The heading.
        layout: The place that the table has on a page.
    """
    return WIDEST.get(head, WIDEST_OTHER) * layout.names


def widest_other(layout: Layout) -> float:
    """Return the width in points at which everything else is broken.

    Args:
        layout: The place that the table has on a page.
    """
    return WIDEST_OTHER * layout.names


def _cell_width(cell: Cell) -> float:
    ends = ends_of(cell)
    if ends is None:
        return _stack_width(cell.number, WIDEST_OTHER) + (FONT * width(f" {cell.interval}") if cell.interval else 0)
    return FONT * width(cell.number) * (BOLD if cell.is_separated else 1) + SMALL * max(map(width, ends))


def ends_of(cell: Cell) -> tuple[str, str] | None:
    """Return the signed distances from a number to the ends of its interval, the upper first; None without both.

    Args:
        cell: The number.
    """
    if not cell.interval or is_open(cell):
        return None
    value = Decimal(cell.number.rstrip("†*"))
    low, high = (Decimal(end) for end in cell.interval[1:-1].split(", "))
    return f"{high - value:+f}", f"{(value - low).copy_negate():+f}"  # where the lower one is 0, it is `-0.00`


def is_open(cell: Cell) -> bool:
    """Return whether an end of the interval is infinite or unknown, so that it has no distance from the number.

    Args:
        cell: The number.
    """
    ends = cell.interval[1:-1].split(", ")
    return any(end == "-" or end.startswith(">") or end.endswith("∞") for end in ends)


@cache
def stack(text: str, widest: float) -> tuple[str, ...]:
    """Return text in lines that are not wider than so many points, broken inside of a word only if it is too long.

    Args:
        text: The text.
        widest: The width in points.
    """
    lines = [""]
    for piece in re.findall(r"[^ ,_/(=.-]*[ ,_/(=.-]+|[^ ,_/(=.-]+", text):
        if lines[-1] and FONT * width(lines[-1] + piece.rstrip()) > widest:
            lines.append("")
        for mark in piece:
            if lines[-1] and mark != " " and FONT * width(lines[-1] + mark) > widest:
                lines.append("")
            lines[-1] += mark
    return tuple(line.strip() for line in lines)


@cache
def _stack_width(text: str, widest: float) -> float:
    return FONT * max(map(width, stack(text, widest)))


def height(grid: Grid, layout: Layout) -> int:
    """Return the height of a table in lines of text.

    Args:
        grid: The table.
        layout: The place that it has on a page.
    """
    heads = max(len(stack(head.text, widest_other(layout))) for head in grid.heads)
    return heads + sum(_line_height(line, grid, layout) for line in grid.lines)


def _line_height(line: Line, grid: Grid, layout: Layout) -> int:
    pairs = zip(line.names, grid.corner, strict=True)
    return max((len(stack(label.text, widest(head, layout))) for label, head in pairs), default=1)
