"""Printed: a table of the terminal report with the line below it, and the parts that tables share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

from rich.table import Table
from rich.text import Text

from robustbench_eff.core.flags import flag_lines, mark_of
from robustbench_eff.core.protocol import Protocol
from robustbench_eff.scores.score import Score

Marks: TypeAlias = Mapping[Protocol, str]
"""The mark of every protocol, such as `(1)`, under which it is spelled out below the tables."""


class Printed(NamedTuple):
    """A table, and a line below it."""

    table: Table
    below: str = ""


def row_table(title: str, columns: Sequence[str], scores: Sequence[Score]) -> Table:
    """Return an empty table with one row per score to come.

    Args:
        title: Title of the table.
        columns: Names of the columns between the perturbation and n.
        scores: The scores; a column for flags is added if one of them has any.
    """
    table = Table(title=title, title_justify="left")
    for name in ("model", "benchmark", "perturbation"):
        table.add_column(name, overflow="fold")
    for name in (*columns, "n", "protocol"):
        table.add_column(name, justify="right", no_wrap=True)
    if any(score.flags for score in scores):
        table.add_column("flags", overflow="fold")
    return table


def add_row(
    table: Table, score: Score, cells: Sequence[str], marks: Marks, flags: tuple[str, ...] | None = None
) -> None:
    """Add the row of a score to a table that `row_table` returned.

    Args:
        table: The table.
        score: The score.
        cells: Texts of the columns between the perturbation and n.
        marks: The marks of protocols.
        flags: Flags of the row; None for those of the score.
    """
    row = [score.model, score.benchmark, _perturbation(score), *cells, str(score.n), marks[score.protocol]]
    if len(table.columns) > len(row):
        row.append(", ".join(score.flags if flags is None else flags))
    table.add_row(*map(Text, row))


def marked(text: str, *scores: Score | None) -> str:
    """Return the text of a number with a mark for its flags: † if it may be too high, * for any other.

    Args:
        text: The number as text; an empty one stays empty.
        scores: The scores that the number stands for, of which some may be missing.
    """
    mark = mark_of(flag for score in scores if score is not None for flag in score.flags)
    return f"{text} {mark}" if text and mark else text


def flags_below(scores: Mapping[tuple[str, str], Score]) -> str:
    """Return the flags of a table whose numbers are `marked`, one per line with its mark; empty without flags.

    Args:
        scores: The scores by the names of their row and column; an empty column for a row that is one number.
    """
    return "\n".join(flag_lines({name: score.flags for name, score in scores.items()}))


def _perturbation(score: Score) -> str:
    _, at, radius = score.metric.partition("@")
    if at:
        return f"{score.perturbation} at ε = {radius}"
    return f"{score.perturbation}, mean over ε" if score.metric == "security_curve_area" else score.perturbation
