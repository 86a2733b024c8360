"""Tables as data: one for each threat model and each further set of columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, get_args

from robustbench_eff.core.errors import EmptyTable
from robustbench_eff.core.protocol import Protocol

from ..build_table import build_table
from ..columns import Layout, layout, presets
from ..entry import Entry, Kind, Result
from ..table import Column, Row, Table, TableValue, figure_text, interval_text, rank_text, unit_text
from .data import Piece, piece
from .headings import heading_of
from .models import ShownModel, short_names

OWN = "own"
"""Name of the table of own models."""
OWN_COLUMNS = "default"
ATTACKS = "attacks"
"""The table of attacks: without models and data sets that nobody attacked."""
THREATS = (
    "robustbench-cifar10-linf",
    "robustbench-cifar10-l2",
    "robustbench-cifar10-corruptions",
    "robustbench-cifar100-linf",
    "robustbench-cifar100-corruptions",
    "robustbench-imagenet-linf",
    "robustbench-imagenet-corruptions",
)
"""Tables of one threat model each, in the order of RobustBench."""
BY_FAMILY = "imagenet"
"""The table that is looked at by families of architectures."""
FIRST = (*THREATS, BY_FAMILY)
"""Tables before all others."""
LEFT_OUT = (OWN_COLUMNS, "paper")
"""Columns that the other tables have among them."""

DIGITS = 8
"""Decimals of the values that a browser sorts by: finer than any interval."""
ABOVE_ALL = 1e300
"""Number by which a browser sorts an infinite value."""


class Board(NamedTuple):
    """A table, and the index of the column that it is sorted by at first."""

    table: Table
    first: int

    @property
    def best(self) -> tuple[Row, TableValue] | None:
        """The first row and its number in the column that the table is sorted by; None if it has none."""
        figure = self.table.rows[0].figures[self.first]
        return None if figure is None or figure.value is None else (self.table.rows[0], figure)


def boards(models: Mapping[str, ShownModel]) -> dict[str, Board]:
    """Return every table that some result matches, by its name: own models, threat models, then the others.

    Args:
        models: The models of the site.

    Raises:
        EmptyTable: No result matches any of the layouts.
    """
    entries = [model.entry for model in models.values()]
    of = {OWN: [model.entry for model in models.values() if model.is_own], ATTACKS: _attacked(entries)}
    ordered = sorted(presets(), key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), name))
    tables = {}
    for name in (OWN, *(name for name in ordered if name not in LEFT_OUT)):
        with suppress(EmptyTable):
            tables[name] = _board(name, of.get(name, entries))
    if not tables:
        raise EmptyTable("None of the results match any of the shipped columns.", "Choose other sources.")
    return tables


class Place(NamedTuple):
    """The place of a model in a table."""

    table: str
    """Name of the table."""
    title: str
    ranks: str
    """Ranks that its number allows, such as `24-38`."""
    of: int
    """Number of models that are ranked."""


def places(boards: Mapping[str, Board]) -> dict[str, list[Place]]:
    """Return the places of every model that is ranked in a table, by the model.

    Args:
        boards: Tables by name.
    """
    found: dict[str, list[Place]] = {}
    for name, board in boards.items():
        ranked = [row for row in board.table.rows if row.ranks is not None]
        for row in ranked:
            place = Place(name, board.table.title, rank_text(row.ranks), len(ranked))
            found.setdefault(row.model, []).append(place)
    return found


def _attacked(entries: Sequence[Entry]) -> list[Entry]:
    """Return the models that were attacked, with their results on benchmarks on which any model was."""
    under_attack = [{item.benchmark for _, item in entry.results() if _is_attacked(item)} for entry in entries]
    wanted: set[str] = set().union(*under_attack)
    return [
        entry.model_copy(
            update={
                kind: tuple(result for result in getattr(entry, kind) if result.benchmark in wanted)
                for kind in get_args(Kind)
            }
        )
        for entry, benchmarks in zip(entries, under_attack, strict=True)
        if benchmarks
    ]


def _is_attacked(result: Result) -> bool:
    return result.metric.startswith("robust_accuracy")


def _board(name: str, entries: Sequence[Entry]) -> Board:
    columns = layout(OWN_COLUMNS if name == OWN else name)
    title = "Own models" if name == OWN else columns.title
    table = build_table(entries, columns.model_copy(update={"title": title}))
    return Board(table, _first(table, columns))


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


def as_data(name: str, board: Board, models: Mapping[str, ShownModel]) -> Piece:
    """Return the data of a table.

    Args:
        name: Name of the table.
        board: The table.
        models: The models of the site, by their names in entries.
    """
    table = board.table
    names = short_names(models[row.model] for row in table.rows)
    content = {
        "title": table.title,
        "first": board.first,
        "columns": [_column(index, column, table.protocols) for index, column in enumerate(table.columns)],
        "rows": [_row(row, names[row.model], models[row.model], table) for row in table.rows],
    }
    return piece(f"board-{name}", content)


def _column(index: int, column: Column, notes: Mapping[tuple[Kind, Protocol], int]) -> dict[str, Any]:
    named = heading_of(column)
    return {
        "place": index,
        "label": column.label,
        "what": named.what,
        "where": named.where,
        "benchmark": column.benchmark,
        "kind": column.kind,
        "protocol": str(column.protocol),
        "note": notes[column.kind, column.protocol],
        "unit": unit_text(column.unit, column.higher_is_better),
        "higher_is_better": column.higher_is_better,
    }


def _row(row: Row, name: str, model: ShownModel, table: Table) -> list[Any]:
    """Return a model's row; `static/board.js` reads its items by their position."""
    figures = zip(range(len(table.columns)), table.columns, row.figures, strict=True)
    return [
        *(name, row.model, model.page, int(model.is_own), row.family, model.facts, list(row.suspected)),
        [_cell(index, column, figure, table.digits) for index, column, figure in figures if figure is not None],
    ]


def _cell(index: int, column: Column, figure: TableValue, digits: int) -> list[Any]:
    ranking = figure.ranking
    return [
        *(index, None if ranking is None else round(min(ranking.value, ABOVE_ALL), DIGITS)),
        figure_text(figure, column, digits),
        *(interval_text(figure, column, digits), int(figure.is_best), figure.n, rank_text(figure.ranks)),
        *figure.flags,
    ]
