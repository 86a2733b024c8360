"""A table as text in rows and columns, with the models down the side or along the top."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from .table import Column, Row, Table, figure_text, interval_text, rank_text, unit_text


class Label(NamedTuple):
    """The heading of a column or of a line."""

    text: str
    note: int | None = None
    """Number of the footnote that gives its protocol; None for models."""


class Cell(NamedTuple):
    """One number as text."""

    number: str
    interval: str = ""
    is_best: bool = False
    """Whether no other number of its kind is significantly better."""
    is_separated: bool = False
    """Whether it is significantly better than every other of its kind, of which there are some."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a grid."""

    names: tuple[Label, ...]
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Lines below headings; the first columns name the lines."""

    corner: tuple[str, ...]
    """Headings of the columns that name the lines."""
    heads: tuple[Label, ...]
    lines: tuple[Line, ...]


def by_model(table: Table) -> Grid:
    """Return a line for every model.

    Args:
        table: The table.
    """
    return Grid(
        corner=("rank", "model", "defense"),
        heads=tuple(_label(table, column) for column in table.columns),
        lines=tuple(
            Line(
                names=(Label(rank_text(row.ranks)), Label(row.name), Label(row.defense)),
                cells=tuple(_cell(table, row, index) for index in range(len(table.columns))),
            )
            for row in table.rows
        ),
    )


def by_number(table: Table) -> Grid:
    """Return a column for every model: lines of ranks and of defenses, then one for every column of the table.

    Args:
        table: The table.
    """
    words = {"rank": [rank_text(row.ranks) for row in table.rows], "defense": [row.defense for row in table.rows]}
    return Grid(
        corner=("",),
        heads=tuple(Label(row.name) for row in table.rows),
        lines=(
            *(Line(names=(Label(name),), cells=tuple(map(Cell, texts))) for name, texts in words.items() if any(texts)),
            *(
                Line(names=(_label(table, column),), cells=tuple(_cell(table, row, index) for row in table.rows))
                for index, column in enumerate(table.columns)
            ),
        ),
    )


def _label(table: Table, column: Column) -> Label:
    unit = unit_text(column.unit, column.higher_is_better)
    return Label(f"{column.label} {unit}", table.protocols[column.kind, column.protocol])


def _cell(table: Table, row: Row, index: int) -> Cell:
    column, figure = table.columns[index], row.figures[index]
    return Cell(
        number=figure_text(figure, column, table.digits),
        interval=interval_text(figure, column, table.digits),
        is_best=figure is not None and figure.is_best,
        is_separated=figure is not None
        and figure.low is not None
        and figure.ranks == (1, 1)
        and _ranked(table, index) > 1,
    )


def _ranked(table: Table, index: int) -> int:
    """Return how many models are ranked in a column."""
    figures = (row.figures[index] for row in table.rows)
    return sum(figure is not None and figure.ranks is not None for figure in figures)
