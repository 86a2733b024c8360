"""Printed: a table of the terminal report with the line below it, and the parts that tables share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from rich.table import Table
from rich.text import Text

from robustbench_eff.core.flags import flag_lines, mark_of
from robustbench_eff.core.protocol import Protocol
from robustbench_eff.scores.overview import perturbation
from robustbench_eff.scores.score import Score

NAMES = ("model", "benchmark", "perturbation")
"""The columns before the numbers."""
SHARED = ("model", "benchmark", "n", "protocol")
"""Columns that go to the title if all rows have the same there."""
HEADLINE = "►"
HEADLINE_MEANS = (
    f"{HEADLINE} The headline of a ball: robust accuracy under all attacks in it together, those of smaller balls "
    "included; below it the attacks of this radius, each alone."
)
"""The mark of a headline, and the line that explains it."""
Marks: TypeAlias = Mapping[Protocol, str]
"""The mark of every protocol, such as `(1)`, under which it is spelled out below the tables."""


class Printed(NamedTuple):
    """A table, and a line below it."""

    table: Table
    below: str = ""


class Row(NamedTuple):
    """A row of a table: what it is about, and its numbers."""

    score: Score
    """Names the model, the benchmark and the perturbation of the row, with n and protocol."""
    cells: Mapping[str, Score]
    """Scores by the heading of their column, of which some may be missing."""
    is_headline: bool = False


def table_of_rows(
    title: str,
    columns: Mapping[str, Callable[[Score], str]],
    rows: Sequence[Row],
    marks: Marks,
    names: Sequence[str] = NAMES,
    notes: Mapping[str, Callable[[Score], str]] = MappingProxyType({}),
) -> Printed:
    """Return a table with its flags below. Model, benchmark, n and protocol that all rows share stand in the title.

    Headlines are bold and begin with HEADLINE, which a line below explains.

    Args:
        title: Title of the table.
        columns: How the numbers of each column are written, by heading.
        rows: The rows, at least one.
        marks: The marks of protocols.
        names: The columns before the numbers, of `model`, `benchmark`, `perturbation` and `metric`.
        notes: Columns of text after the numbers, from the score that names the row.
    """
    texts = [_texts(row.score, marks) for row in rows]
    shared = {name for name in SHARED if len({text[name] for text in texts}) == 1}
    before = [name for name in names if name not in shared]
    after = [name for name in ("n", "protocol") if name not in shared]
    table = _header(_title(title, texts[0], shared & {*names, "n", "protocol"}), before, columns, [*notes], after)
    has_headlines = any(row.is_headline for row in rows)
    for row, text in zip(rows, texts, strict=True):
        named = dict(text)
        if has_headlines:
            named["perturbation"] = (HEADLINE if row.is_headline else "").ljust(len(HEADLINE) + 1) + text[
                "perturbation"
            ]
        line = [named[name] for name in before] + _numbers(row, columns)
        line += [*(write(row.score) for write in notes.values()), *(text[name] for name in after)]
        table.add_row(*(Text(cell, "bold" if row.is_headline else "") for cell in line))
    flags = _flags_of_rows(dict(zip(_row_names(texts, before), rows, strict=True)), columns)
    return Printed(table, "\n".join(filter(None, (HEADLINE_MEANS if has_headlines else "", flags))))


def _header(
    title: str, before: Sequence[str], columns: Iterable[str], notes: Sequence[str], after: Sequence[str]
) -> Table:
    """A table without rows; texts fold, and numbers are never cut."""
    table = Table(title=Text(title), title_justify="left")
    for name in before:
        table.add_column(name, overflow="fold")
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    for name in notes:
        table.add_column(name, overflow="fold")
    for name in after:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _numbers(row: Row, columns: Mapping[str, Callable[[Score], str]]) -> list[str]:
    """The numbers of a row with the marks of their flags, empty where there is none."""
    found = [(row.cells.get(heading), write) for heading, write in columns.items()]
    return ["" if score is None else marked(write(score), score) for score, write in found]


def _flags_of_rows(rows: Mapping[str, Row], columns: Iterable[str]) -> str:
    """The flags of the numbers that are shown, by the names of their rows."""
    shown = {(name, heading): row.cells.get(heading) for name, row in rows.items() for heading in columns}
    return flags_below({name: score for name, score in shown.items() if score is not None})


def _row_names(texts: Sequence[Mapping[str, str]], before: Sequence[str]) -> list[str]:
    """How lines below the table name its rows: where names repeat, with the protocol, or else with the row's place."""
    names = [", ".join(text[name] for name in before) or text["model"] for text in texts]
    for more in ([text["protocol"] for text in texts], [f"in row {place}" for place in range(1, len(texts) + 1)]):
        several = {name for name, count in Counter(names).items() if count > 1}
        tells = len(set(more)) > 1
        names = [f"{name} {of}" if tells and name in several else name for name, of in zip(names, more, strict=True)]
    return names


def _title(title: str, text: Mapping[str, str], shared: Set[str]) -> str:
    """The title with what all rows share."""
    subject = " on ".join(text[name] for name in ("model", "benchmark") if name in shared)
    if subject == text["benchmark"] and "model" not in shared:
        subject = f"on {subject}"
    n = f"n = {text['n']}" if "n" in shared else ""
    return " · ".join(part for part in (title, subject, n, text["protocol"] if "protocol" in shared else "") if part)


def _texts(score: Score, marks: Marks) -> dict[str, str]:
    """What the columns besides the numbers say of a score."""
    return {
        "model": score.model,
        "benchmark": score.benchmark,
        "perturbation": perturbation(score),
        "metric": f"{score.metric} in %" if score.definition.unit == "fraction" else score.metric,
        "n": str(score.n),
        "protocol": marks[score.protocol],
    }


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
