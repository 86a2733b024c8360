"""Tables as data for the front page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

from robustbench_eff.core.errors import EmptyTable

from ..board import board
from ..columns import Layout, layout, presets
from ..entry import Entry
from ..table import Column, Row, Table, TableValue, figure_text, interval_text, rank_text, unit_text
from .data import Piece, piece

FIRST = "paper"
"""The columns that are shown first, where some result belongs into them."""

DIGITS = 8
"""Of what is sorted by: finer than any interval."""


class Board(NamedTuple):
    """A table, and the column that it is sorted by at first."""

    table: Table
    first: int


def boards(entries: Sequence[Entry]) -> dict[str, Board]:
    """A table for every shipped set of columns that some result belongs into; EmptyTable where none does."""
    found = {}
    for name in sorted(presets(), key=lambda name: (name != FIRST, name)):
        wanted = layout(name)
        with suppress(EmptyTable):
            table = board(entries, wanted)
            found[name] = Board(table, _first(table, wanted))
    if not found:
        raise EmptyTable("No result belongs into any of the shipped columns.", "Choose other sources.")
    return found


def _first(table: Table, layout: Layout) -> int:
    """The fullest of the columns that the layout sorts by: a rank is of numbers that may be compared."""
    return next(
        (
            place
            for label in layout.sort
            for place, column in enumerate(table.columns)
            if column.label == label or column.label.startswith(f"{label}, ")
        ),
        0,
    )


class DataChunks(NamedTuple):
    """What the page needs of a table: the numbers of those that round alike are in one piece."""

    board: Piece
    figures: Piece


def as_data(boards: Mapping[str, Board], pages: Mapping[str, str]) -> dict[str, DataChunks]:
    """The pieces of every table, by its name."""
    found: dict[str, DataChunks] = {}
    for digits in sorted({shown.table.digits for shown in boards.values()}):
        alike = {name: shown for name, shown in boards.items() if shown.table.digits == digits}
        figures = _figures([shown.table for shown in alike.values()])
        said = piece(f"figures-{digits}", _said(figures, digits, pages))
        found |= {
            name: DataChunks(piece(f"board-{name}", _board(shown, figures, said.name)), said)
            for name, shown in alike.items()
        }
    return {name: found[name] for name in boards}


class _Figures(NamedTuple):
    """Numbers of several tables: columns and rows by their places, and what stands where."""

    columns: dict[Column, int]
    rows: dict[str, tuple[int, Row]]
    """By model."""
    found: dict[int, dict[int, TableValue]]


def _figures(tables: Sequence[Table]) -> _Figures:
    figures = _Figures({}, {}, {})
    for table in tables:
        for row in table.rows:
            number, _ = figures.rows.setdefault(row.model, (len(figures.rows), row))
            for column, figure in zip(table.columns, row.figures, strict=True):
                place = figures.columns.setdefault(_unlabelled(column), len(figures.columns))
                if figure is not None:
                    figures.found.setdefault(number, {})[place] = figure
    return figures


def _unlabelled(column: Column) -> Column:
    """The same in every table, whatever it is called there."""
    return replace(column, label="")


def _said(figures: _Figures, digits: int, pages: Mapping[str, str]) -> list[Any]:
    """A list for every model; `static/board.js` reads them by their places."""
    columns = list(figures.columns)
    return [
        [
            *(row.model, pages[row.model], row.family, row.defense, list(row.suspected)),
            [_cell(place, columns[place], figure, digits) for place, figure in figures.found[number].items()],
        ]
        for number, row in figures.rows.values()
    ]


def _cell(place: int, column: Column, figure: TableValue, digits: int) -> list[Any]:
    return [
        *(place, None if figure.value is None else round(figure.value, DIGITS), figure_text(figure, column, digits)),
        *(interval_text(figure, column, digits), int(figure.is_best), figure.n, rank_text(figure.ranks)),
        *figure.flags,
    ]


def _board(shown: Board, figures: _Figures, named: str) -> dict[str, Any]:
    table = shown.table
    return {
        "title": table.title,
        "figures": named,
        "first": shown.first,
        "columns": [
            {
                "place": figures.columns[_unlabelled(column)],
                "label": column.label,
                "benchmark": column.benchmark,
                "kind": column.kind,
                "protocol": column.protocol,
                "note": table.protocols[column.kind, column.protocol],
                "unit": unit_text(column.unit, column.higher_is_better),
                "higher_is_better": column.higher_is_better,
                "count": sum(row.figures[number] is not None for row in table.rows),
            }
            for number, column in enumerate(table.columns)
        ],
        "models": [figures.rows[row.model][0] for row in table.rows],
    }
