"""Comparisons of models as tables."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from robustbench_eff.core.statistics import Ranks
from robustbench_eff.scores.compare import Comparison
from robustbench_eff.scores.per_sample import SampleContributions

from .formatting import interval, number

SURE = 0.05


def pair_table(rows: Sequence[Comparison], a: str, b: str, console: Console) -> None:
    """Print one row a score: both values, the difference with its interval, p-values, flips, consistency of errors."""
    title = "In %, differences in points with 95 % intervals"
    table = Table(title=f"A = {a}\nB = {b}\n{title}", title_justify="left")
    for name in ("benchmark", "perturbation", "score"):
        table.add_column(name, overflow="fold")
    for name in ("A", "B", "A - B", "interval", "p, Holm", "only A", "only B", "κ of errors", "n", "better"):
        table.add_column(name, justify="right")
    for row in rows:
        cells = [
            *(number(value, row.metric) for value in (row.a, row.b)),
            number(row.difference, row.metric, sign="+"),
            interval(row),
            _p(row.p_holm),
            *("" if count is None else str(count) for count in (row.only_a, row.only_b)),
            _kappa(row),
            str(row.n),
            _better(row),
        ]
        table.add_row(*(Text(text) for text in (row.benchmark, row.perturbation, row.metric, *cells)))
    console.print(table)
    for row in rows:
        if len(row.protocols) > 1:
            text = f"{row.benchmark}, {row.perturbation}: A was seen as {row.protocols[0]}; B as {row.protocols[1]}."
            console.print(text, style="dim", markup=False, highlight=False, soft_wrap=True)
        for flag in row.flags:
            console.print(
                f"{row.benchmark}, {row.perturbation}: {flag}.", markup=False, highlight=False, soft_wrap=True
            )


def rank_table(
    rows: Sequence[tuple[SampleContributions, list[float | None], list[Ranks]]], models: Sequence[str], console: Console
) -> None:
    """Print one row a score: every model's value and the ranks it may have."""
    title = "In %, and the ranks that each may have: all true ranks lie within them at once, with 95 %"
    table = Table(title=title, title_justify="left")
    for name in ("benchmark", "perturbation", "score"):
        table.add_column(name, overflow="fold")
    for name in models:
        table.add_column(Text(name), justify="right", overflow="fold")
    for measure, values, ranks in rows:
        cells = [
            f"{number(value, measure.metric)} ({of.best}-{of.worst})"
            if of.best < of.worst
            else f"{number(value, measure.metric)} ({of.best})"
            for value, of in zip(values, ranks, strict=True)
        ]
        table.add_row(*(Text(text) for text in (measure.benchmark, measure.perturbation, measure.metric, *cells)))
    console.print(table)


def _kappa(row: Comparison) -> str:
    found = row.consistency
    if found is None or found.kappa is None:
        return ""
    ends = "" if found.low is None else f" [{found.low:.2f}, {found.high:.2f}]"
    return f"{found.kappa:.2f}{ends}"


def _p(value: float | None) -> str:
    if value is None:
        return "-"
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _better(row: Comparison) -> str:
    """Which model is better where the adjusted p-value says that one is; of shape bias nobody says what is better."""
    if row.p_holm is None or row.difference is None or row.p_holm >= SURE or row.metric == "shape_bias":
        return ""
    return "A" if (row.difference > 0) == row.higher_is_better else "B"
