"""Tables as data for the front page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

from robustbench_eff.core.errors import EmptyTable

from ..build_table import build_table
from ..columns import Layout, layout, presets
from ..entry import Entry
from ..table import Column, Row, Table, TableValue, figure_text, interval_text, rank_text, unit_text
from .data import Piece, piece

FIRST = "paper"
"""The columns that are shown first if some result matches them."""

DIGITS = 8
"""Decimals of the values that a browser sorts by: finer than any interval."""
ABOVE_ALL = 1e300
"""Number by which a browser sorts an infinite value."""


class Board(NamedTuple):
    """A table, and the index of the column that it is sorted by at first."""

    table: Table
    first: int


def boards(entries: Sequence[Entry]) -> dict[str, Board]:
    """Return a table for every shipped layout that some result matches, by the name of the layout.

    Args:
        entries: One entry per model.

    Raises:
        EmptyTable: No result matches any of the layouts.
    """
    tables = {}
    for name in sorted(presets(), key=lambda name: (name != FIRST, name)):
        columns = layout(name)
        with suppress(EmptyTable):
            table = build_table(entries, columns)
            tables[name] = Board(table, _first(table, columns))
    if not tables:
        raise EmptyTable("None of the results match any of the shipped columns.", "Choose other sources.")
    return tables


def _first(table: Table, layout: Layout) -> int:
    """Return the fullest of the columns that the layout sorts by; ranks refer to one column."""
    return next(
        (
            index
            for label in layout.sort
            for index, column in enumerate(table.columns)
            if column.label == label or column.label.startswith(f"{label}, ")
        ),
        0,
    )


class DataChunks(NamedTuple):
    """The data of a table; tables that round alike share the chunk with the numbers."""

    board: Piece
    figures: Piece


def as_data(boards: Mapping[str, Board], pages: Mapping[str, str]) -> dict[str, DataChunks]:
    """Return the data of every table, by its name.

    Args:
        boards: Tables by name.
        pages: File names of the models' pages, by model.
    """
    chunks: dict[str, DataChunks] = {}
    for digits in sorted({board.table.digits for board in boards.values()}):
        alike = {name: board for name, board in boards.items() if board.table.digits == digits}
        figures = _figures([board.table for board in alike.values()])
        numbers = piece(f"figures-{digits}", _numbers(figures, digits, pages))
        chunks |= {
            name: DataChunks(piece(f"board-{name}", _board(board, figures, numbers.name)), numbers)
            for name, board in alike.items()
        }
    return {name: chunks[name] for name in boards}


class _Figures(NamedTuple):
    """The numbers of several tables, with indices of columns and rows over all of them."""

    columns: dict[Column, int]
    rows: dict[str, tuple[int, Row]]
    """Index and first row of each model."""
    values: dict[int, dict[int, TableValue]]
    """By index of the row and of the column."""


def _figures(tables: Sequence[Table]) -> _Figures:
    figures = _Figures({}, {}, {})
    for table in tables:
        for row in table.rows:
            number, _ = figures.rows.setdefault(row.model, (len(figures.rows), row))
            for column, figure in zip(table.columns, row.figures, strict=True):
                index = figures.columns.setdefault(_unlabelled(column), len(figures.columns))
                if figure is not None:
                    figures.values.setdefault(number, {})[index] = figure
    return figures


def _unlabelled(column: Column) -> Column:
    """Return the column without its label, so that it is equal in every table."""
    return replace(column, label="")


def _numbers(figures: _Figures, digits: int, pages: Mapping[str, str]) -> list[Any]:
    """Return a list for every model; `static/board.js` reads its items by their position."""
    columns = list(figures.columns)
    return [
        [
            *(row.model, pages[row.model], row.family, row.defense, list(row.suspected)),
            [_cell(index, columns[index], figure, digits) for index, figure in figures.values[number].items()],
        ]
        for number, row in figures.rows.values()
    ]


def _cell(index: int, column: Column, figure: TableValue, digits: int) -> list[Any]:
    ranking = figure.ranking
    return [
        *(index, None if ranking is None else round(min(ranking.value, ABOVE_ALL), DIGITS)),
        figure_text(figure, column, digits),
        *(interval_text(figure, column, digits), int(figure.is_best), figure.n, rank_text(figure.ranks)),
        *figure.flags,
    ]


def _board(board: Board, figures: _Figures, numbers: str) -> dict[str, Any]:
    """Return the columns and rows of a table; `numbers` is the name of the chunk with its numbers."""
    table = board.table
    return {
        "title": table.title,
        "figures": numbers,
        "first": board.first,
        "columns": [
            {
                "place": figures.columns[_unlabelled(column)],
                "label": column.label,
                "benchmark": column.benchmark,
                "kind": column.kind,
                "protocol": str(column.protocol),
                "note": table.protocols[column.kind, column.protocol],
                "unit": unit_text(column.unit, column.higher_is_better),
                "higher_is_better": column.higher_is_better,
                "count": sum(row.figures[index] is not None for row in table.rows),
            }
            for index, column in enumerate(table.columns)
        ],
        "models": [figures.rows[row.model][0] for row in table.rows],
    }
