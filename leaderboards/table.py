"""A leaderboard as an object, from which every format is written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from robustbench_eff.core.flags import mark_of
from robustbench_eff.core.infinity import distance_text
from robustbench_eff.core.protocol import Protocol
from robustbench_eff.core.statistics import Ranks

from .entry import Kind, Unit

LEGEND = (
    "With 95 % intervals. Bold: no other is known to be better. All ranks of this table hold at once, with 95 % "
    "confidence; a number without an interval counts as exact."
)
"""The legend below every table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """Comparable numbers: one metric under one perturbation on one benchmark, under one protocol."""

    label: str
    benchmark: str
    perturbation: str
    metric: str
    protocol: Protocol
    kind: Kind
    unit: Unit
    higher_is_better: bool


class Estimate(NamedTuple):
    """A number, its 95 % interval, and the number of samples."""

    value: float
    low: float | None
    high: float | None
    n: int | None
    searched_to: float | None = None
    """Largest distance that the search allowed, which an infinite value or end exceeds; None without a limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableValue:
    """One number of the table."""

    value: float | None
    low: float | None
    high: float | None
    searched_to: float | None
    """Largest distance that the search allowed, which an infinite value or end exceeds; None without a limit."""
    n: int | None
    source: str
    flags: tuple[str, ...]
    ranks: Ranks | None
    """Ranks that the model may have in this column; None without a value and for claims."""
    is_best: bool
    """Whether no other number of the column is significantly better."""
    detail: str = ""
    """The class that a worst-class accuracy belongs to, with its number of samples; else empty."""
    best_known: Estimate | None = None
    """The number of a stronger attack in the same ball, which ranks the model in place of this one; else None."""

    @property
    def ranking(self) -> Estimate | None:
        """The number by which the model is ranked; None without a value."""
        if self.value is None:
            return None
        return self.best_known or Estimate(self.value, self.low, self.high, self.n, self.searched_to)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A model with its numbers."""

    model: str
    family: str
    defense: str
    figures: tuple[TableValue | None, ...]
    """One number per column; None where the model does not have one."""
    ranks: Ranks | None = None
    """Ranks that the model may have in the columns that the table is sorted by; None without a number there."""
    suspected: tuple[str, ...] = ()
    """Checks that suspect gradient masking."""

    @property
    def name(self) -> str:
        """The model's name, with a dagger if gradient masking is suspected."""
        return f"{self.model} †" if self.suspected else self.model


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Columns, and rows in the order they are shown."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    digits: int = 2
    """Digits after the point of fractions, which are written in percent."""
    ranked_by: str = ""
    """Label of the column by which the rows are ranked."""

    @property
    def protocols(self) -> dict[tuple[Kind, Protocol], int]:
        """Numbers of the footnotes that give the protocol of each column."""
        keys = dict.fromkeys((column.kind, column.protocol) for column in self.columns)
        return {key: number for number, key in enumerate(keys, start=1)}

    @property
    def legend(self) -> str:
        """What the numbers mean, in some sentences below every format."""
        ends = [end for row in self.rows for figure in row.figures if figure for end in (figure.value, figure.high)]
        is_infinite = any(end is not None and math.isinf(end) for end in ends)
        return " ".join(
            [
                LEGEND,
                *([f"Rows are ranked by {self.ranked_by}."] if self.ranked_by else []),
                *(["> and ∞: no adversarial image was found up to this distance, or at any."] if is_infinite else []),
            ]
        )

    @property
    def warnings(self) -> list[str]:
        """What a reader must know of a model or a number, one sentence each: first flags, then what a value is of."""
        warnings = []
        for row in self.rows:
            if row.suspected:
                warnings.append(f"† {row.model}: gradient masking suspected ({', '.join(row.suspected)}).")
            labels: dict[tuple[str, str], list[str]] = {}
            for column, figure in zip(self.columns, row.figures, strict=True):
                for mark, flags in _by_mark(figure.flags if figure is not None else ()).items():
                    labels.setdefault((mark, "; ".join(flags)), []).append(column.label)
            warnings += [f"{mark} {row.model}, {', '.join(named)}: {text}." for (mark, text), named in labels.items()]
            details: dict[str, list[str]] = {}
            for column, figure in zip(self.columns, row.figures, strict=True):
                if figure is not None and figure.detail:
                    is_class = column.metric.startswith("worst_class")
                    text = f"worst class: {figure.detail.removeprefix('class ')}" if is_class else figure.detail
                    details.setdefault(text, []).append(column.label)
            warnings += [f"{row.model}, {'; '.join(named)}: {text}." for text, named in details.items()]
        return warnings


def figure_text(figure: TableValue | None, column: Column, digits: int) -> str:
    """Return a number as text, such as `49.46`, with a dagger if it may be too high.

    A star stands for any other flag.

    Args:
        figure: The number. None gives an empty text, a number without a value a dash.
        column: Its column.
        digits: Digits after the point of fractions, which are written in percent.
    """
    if figure is None:
        return ""
    number = number_text(figure.value, column.unit, digits, figure.searched_to)
    return number + mark_of(figure.flags)


def interval_text(figure: TableValue | None, column: Column, digits: int) -> str:
    """Return the interval of a number as text, such as `[48.07, 50.85]` or `[0.029, > 0.0627]`; empty without one.

    Args:
        figure: The number, or None.
        column: Its column.
        digits: Digits after the point of fractions, which are written in percent.
    """
    if figure is None or (figure.low is None and figure.high is None):
        return ""
    ends = [number_text(end, column.unit, digits, figure.searched_to) for end in (figure.low, figure.high)]
    return f"[{', '.join(ends)}]"


def number_text(value: float | None, unit: Unit, digits: int, searched_to: float | None = None) -> str:
    """Return a fraction in percent, any other number with four significant digits; a dash for None.

    Args:
        value: The number. Infinity is `> 0.0627`, or `∞` if the search had no limit.
        unit: Its unit.
        digits: Digits after the point of a percentage.
        searched_to: Largest distance that the search allowed; None without a limit.
    """
    if value is None:
        return "-"
    if value == -math.inf:
        return "-∞"
    if math.isinf(value) or unit == "number":
        return distance_text(value, searched_to)
    return f"{100 * value:.{digits}f}"


def unit_text(unit: Unit, higher_is_better: bool) -> str:
    """Return unit and direction as text, such as `%↑`.

    Args:
        unit: Fractions are written in percent.
        higher_is_better: Direction of the arrow.
    """
    return f"{'%' if unit == 'fraction' else ''}{'↑' if higher_is_better else '↓'}"


def rank_text(ranks: Ranks | None) -> str:
    """Return ranks as text: `1-3`, a single rank, or an empty text for None.

    Args:
        ranks: The ranks.
    """
    if ranks is None:
        return ""
    return str(ranks.best) if ranks.best == ranks.worst else f"{ranks.best}-{ranks.worst}"


def _by_mark(flags: Sequence[str]) -> dict[str, list[str]]:
    """Return the flags by the mark that a number with them gets."""
    marked: dict[str, list[str]] = {}
    for flag in flags:
        marked.setdefault(mark_of([flag]), []).append(flag)
    return marked
