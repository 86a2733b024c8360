"""A table as Markdown, CSV, JSON or HTML, and the formats by extension."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Callable, Mapping
from functools import partial
from html import escape
from itertools import product
from operator import itemgetter
from typing import Any

from robustbench_eff.core.infinity import strict_json
from robustbench_eff.core.markdown_text import as_markdown

from .grid import Cell, Label, by_model, by_number
from .latex import latex
from .table import Table


def markdown(table: Table, *, transposed: bool = False) -> str:
    """Return the table as Markdown, followed by its protocols and warnings.

    Args:
        table: The table.
        transposed: Whether the models are the columns.
    """
    grid = by_number(table) if transposed else by_model(table)
    rule = ["---:" if head == "rank" else "---" for head in grid.corner] + ["---:"] * len(grid.heads)
    lines = [[*grid.corner, *map(_markdown_label, grid.heads)], rule]
    lines += [[*map(_markdown_label, line.names), *map(_markdown_cell, line.cells)] for line in grid.lines]
    notes = [
        f"<sup>{number}</sup> {kind}: {as_markdown(str(protocol))}"
        for (kind, protocol), number in table.protocols.items()
    ]
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return (
        f"**{as_markdown(table.title)}**\n\n{body}\n\n"
        + "<br>\n".join([*notes, *map(as_markdown, (*table.warnings, table.legend))])
        + "\n"
    )


def _markdown_label(label: Label) -> str:
    return as_markdown(label.text) + ("" if label.note is None else f"<sup>{label.note}</sup>")


def _markdown_cell(cell: Cell) -> str:
    marked = f"**{as_markdown(cell.number)}**" if cell.is_best else as_markdown(cell.number)
    return f"{marked} {cell.interval}".strip()


def html(table: Table, *, transposed: bool = False) -> str:
    """Return an HTML `table` element, followed by its protocols and warnings.

    Args:
        table: The table.
        transposed: Whether the models are the columns.
    """
    grid = by_number(table) if transposed else by_model(table)
    corner = "".join(f"<th{_text_class(head)}>{head}</th>" if head else "<td></td>" for head in grid.corner)
    heads = "".join(f'<th scope="col">{_html_label(head)}</th>' for head in grid.heads)
    rows = "\n".join(
        f"<tr>{''.join(map(_html_name, line.names, grid.corner))}{''.join(map(_html_cell, line.cells))}</tr>"
        for line in grid.lines
    )
    return _element(table, corner + heads, rows)


def _text_class(head: str) -> str:
    """Return the class of a column of names, which are aligned as text; ranks are aligned as numbers."""
    return "" if head == "rank" else ' class="text"'


def _html_label(label: Label) -> str:
    return escape(label.text) + ("" if label.note is None else f"<sup>{label.note}</sup>")


def _html_name(label: Label, head: str) -> str:
    if head in ("rank", "defense"):
        return f"<td{_text_class(head)}>{_html_label(label)}</td>"
    return f'<th scope="row">{_html_label(label)}</th>'


def _html_cell(cell: Cell) -> str:
    number = f"<b>{escape(cell.number)}</b>" if cell.is_best else escape(cell.number)
    return f"<td>{number} <small>{escape(cell.interval)}</small></td>" if cell.interval else f"<td>{number}</td>"


def _element(table: Table, heads: str, rows: str) -> str:
    notes = "\n".join(
        f"<p><sup>{number}</sup> {kind}: {escape(str(protocol))}</p>"
        for (kind, protocol), number in table.protocols.items()
    )
    notes += "".join(f"\n<p>{escape(warning)}</p>" for warning in table.warnings)
    return (
        f"<table>\n<caption>{escape(table.title)}</caption>\n<thead><tr>{heads}</tr></thead>\n"
        f"<tbody>\n{rows}\n</tbody>\n</table>\n{notes}\n<p>{escape(table.legend)}</p>\n"
    )


def as_csv(table: Table, *, transposed: bool = False) -> str:
    """Return CSV with a line for every number, unrounded; `inf` is an infinite one.

    Args:
        table: The table.
        transposed: Whether the lines are in the order of the table's columns, and not of its models.
    """
    column_fields = ("benchmark", "perturbation", "metric", "unit", "higher_is_better", "kind")
    figure_fields = ("value", "low", "high", "searched_to", "n", "source")
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    head = ["model", "family", "defense", *column_fields, "protocol", *figure_fields]
    writer.writerow([*head, "best_rank", "worst_rank", "flags", "suspected", "detail"])
    places = list(product(range(len(table.rows)), range(len(table.columns))))
    for number, index in sorted(places, key=itemgetter(1)) if transposed else places:
        row, column = table.rows[number], table.columns[index]
        if (figure := row.figures[index]) is not None:
            values = [row.model, row.family, row.defense, *(getattr(column, name) for name in column_fields)]
            values += [str(column.protocol), *(getattr(figure, name) for name in figure_fields)]
            values += [*(figure.ranks or ("", "")), "; ".join(figure.flags), "; ".join(row.suspected), figure.detail]
            writer.writerow([no_formula(value) for value in values])
    return file.getvalue()


def as_json(table: Table) -> str:
    """Return the fields of the table as JSON, unrounded, with protocols as sentences; an infinite number is `"inf"`.

    Args:
        table: The table.
    """
    content = dataclasses.asdict(table)
    content["columns"] = [
        {**fields, "protocol": str(column.protocol)}
        for fields, column in zip(content["columns"], table.columns, strict=True)
    ]
    return json.dumps(strict_json(content), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


FORMATS: Mapping[str, Callable[[Table], str]] = {
    "csv": as_csv,
    "html": html,
    "json": as_json,
    "md": markdown,
    "tex": latex,
}
"""Writers by file name extension."""
TRANSPOSED: Mapping[str, Callable[[Table], str]] = {
    "csv": partial(as_csv, transposed=True),
    "html": partial(html, transposed=True),
    "json": as_json,
    "md": partial(markdown, transposed=True),
    "tex": partial(latex, transposed=True),
}
"""The same with a column for every model. JSON lists columns and rows of the table, whichever way it is shown."""


def no_formula(value: Any) -> Any:
    """Return a value of a CSV file, with text quoted that a spreadsheet would take for a formula.

    Args:
        value: Any value.
    """
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
