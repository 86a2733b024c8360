"""A leaderboard on a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table as Shown
from rich.text import Text

from .formats import LEGEND
from .table import Table, figure_text, interval_text, rank_text


def show(table: Table, console: Console) -> None:
    """With the protocols below, and what masking checks suspect."""
    shown = Shown(title=table.title, title_justify="left", box=None, pad_edge=False)
    shown.add_column("rank", justify="right")
    shown.add_column("model", overflow="fold")
    shown.add_column("defense", overflow="fold")
    for column in table.columns:
        note = table.protocols[column.kind, column.protocol]
        unit = "%" if column.unit == "fraction" else ""
        shown.add_column(
            Text(f"{column.label} ({note}) {unit}{'↑' if column.higher_is_better else '↓'}"), justify="right"
        )
    for row in table.rows:
        cells = [Text(rank_text(row.ranks)), Text(row.model), Text(row.defense)]
        for column, figure in zip(table.columns, row.figures, strict=True):
            best = figure is not None and figure.is_best
            cells.append(
                Text.assemble(
                    (figure_text(figure, column, table.digits), "bold" if best else ""),
                    (f" {interval_text(figure, column, table.digits)}", "dim"),
                )
            )
        shown.add_row(*cells)
    console.print(shown)
    for (kind, protocol), number in table.protocols.items():
        console.print(f"({number}) {kind}: {protocol}", style="dim", highlight=False, markup=False)
    for row in table.rows:
        if row.suspected:
            text = f"{row.model}: gradient masking suspected ({', '.join(row.suspected)})."
            console.print(text, style="bold", highlight=False, markup=False)
    console.print(LEGEND, style="dim")
