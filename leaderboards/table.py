"""A leaderboard as an object: what every format is written from."""

from __future__ import annotations

from dataclasses import dataclass

from robustbench_eff.core.statistics import Ranks

from .entry import Kind, Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """Numbers that may be compared: one metric of one change of one benchmark, under one protocol."""

    label: str
    benchmark: str
    perturbation: str
    metric: str
    protocol: str
    kind: Kind
    unit: Unit
    higher_is_better: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TableValue:
    """One number of the table."""

    value: float | None
    low: float | None
    high: float | None
    n: int | None
    source: str
    flags: tuple[str, ...]
    ranks: Ranks | None
    """Ranks that the model may have in this column; None without a value."""
    is_best: bool
    """Nothing in the column is known to be better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A model; of each column its figure, or None."""

    model: str
    family: str
    defense: str
    figures: tuple[TableValue | None, ...]
    ranks: Ranks | None = None
    """Ranks that it may have by what the table is sorted by; None without such a number."""
    suspected: tuple[str, ...] = ()
    """Checks that suspect gradient masking."""

    @property
    def name(self) -> str:
        """The model, with a dagger where something is suspected."""
        return f"{self.model} †" if self.suspected else self.model


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows in the order they are shown."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    digits: int = 2
    """Of what is written in percent."""

    @property
    def protocols(self) -> dict[tuple[Kind, str], int]:
        """Numbers of the footnotes that say under which protocol a column is."""
        found = dict.fromkeys((column.kind, column.protocol) for column in self.columns)
        return {key: number for number, key in enumerate(found, start=1)}

    @property
    def warnings(self) -> list[str]:
        """What is to be known before trusting a model or a number: a sentence each, in the order of the rows."""
        found = []
        for row in self.rows:
            if row.suspected:
                found.append(f"† {row.model}: gradient masking suspected ({', '.join(row.suspected)}).")
            for column, figure in zip(self.columns, row.figures, strict=True):
                if figure is not None and figure.flags:
                    found.append(f"* {row.model}, {column.label}: {'; '.join(figure.flags)}.")
        return found


def figure_text(figure: TableValue | None, column: Column, digits: int) -> str:
    """`49.46`, in percent if it is a fraction, with a star where it has flags.

    Empty without a result, a dash for a result without a value.
    """
    if figure is None:
        return ""
    text = "-" if figure.value is None else number_text(figure.value, column.unit, digits)
    return f"{text}*" if figure.flags else text


def interval_text(figure: TableValue | None, column: Column, digits: int) -> str:
    """`[48.07, 50.85]`, or empty."""
    if figure is None or figure.low is None or figure.high is None:
        return ""
    return f"[{number_text(figure.low, column.unit, digits)}, {number_text(figure.high, column.unit, digits)}]"


def number_text(value: float, unit: Unit, digits: int) -> str:
    """A fraction in percent, anything else with four significant digits."""
    return f"{100 * value:.{digits}f}" if unit == "fraction" else f"{value:.4g}"


def unit_text(unit: Unit, higher_is_better: bool) -> str:
    """`%↑` for percent of which more is better."""
    return f"{'%' if unit == 'fraction' else ''}{'↑' if higher_is_better else '↓'}"


def rank_text(ranks: Ranks | None) -> str:
    """`1-3`, or one rank."""
    if ranks is None:
        return ""
    return str(ranks.best) if ranks.best == ranks.worst else f"{ranks.best}-{ranks.worst}"
