"""Comparisons of models as tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from robustbench_eff.registry.metrics import metric_of
from robustbench_eff.scores.compare import Comparison, RankedScore
from robustbench_eff.scores.number_text import interval, number
from robustbench_eff.scores.transfers import Transfer
from robustbench_eff.scores.worse import better

from .fit_table import print_table
from .prose import print_prose

PAIR_TITLE = "In %, differences in points with 95 % intervals; all that is called better holds at once, with 95 %"
RANK_TITLE = "In %, and the ranks that each may have: all true ranks of this table lie within them at once, with 95 %"


def pair_table(rows: Sequence[Comparison], a: str, b: str, console: Console) -> None:
    """Print one row per score: both values, the difference with its interval, p-values, flips, error consistency.

    Args:
        rows: The comparisons.
        a: Name of the first model.
        b: Name of the second model.
        console: Where to print.
    """
    benchmarks, sizes = {row.benchmark for row in rows}, {row.n for row in rows}
    shared = [*(benchmarks if len(benchmarks) == 1 else ()), *(f"n = {n}" for n in sizes if len(sizes) == 1)]
    title = "\n".join(filter(None, (f"A = {a}", f"B = {b}", PAIR_TITLE, " · ".join(shared))))
    table = Table(title=title, title_justify="left")
    for name in (*(["benchmark"] if len(benchmarks) > 1 else []), "perturbation", "score"):
        table.add_column(name, overflow="fold")
    numbers = ("A", "B", "A−B", "p, Holm", "better", "only A", "only B", "differ", "κ of errors")
    for name in (*numbers, *(["n"] if len(sizes) > 1 else [])):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        unit = metric_of(row.metric).unit
        cells = [
            *(number(value, unit) for value in (row.a, row.b)),
            f"{number(row.difference, unit, sign='+')} {interval(row)}",
            _p(row.p_holm),
            better(row) or "",
            *("" if count is None else str(count) for count in (row.only_a, row.only_b, row.differ)),
            _kappa(row),
            *([str(row.n)] if len(sizes) > 1 else []),
        ]
        names = [*([row.benchmark] if len(benchmarks) > 1 else []), row.perturbation, row.metric]
        table.add_row(*map(Text, (*names, *cells)))
    print_table(table, console)
    for row in rows:
        if len(row.protocols) > 1:
            a_protocol, b_protocol = row.protocols
            text = f"{row.benchmark}, {row.perturbation}: the protocol of A is {a_protocol}; that of B is {b_protocol}."
            print_prose(text, console, "dim")
        for flag in row.flags:
            text = f"{row.benchmark}, {row.perturbation}: {flag}."
            print_prose(text, console)


def worse_lines(rows: Iterable[Comparison]) -> list[str]:
    """Return one line per score of which the second model has a worse one.

    Args:
        rows: The comparisons.
    """
    lines = []
    for row in rows:
        unit = metric_of(row.metric).unit
        a, b = (number(value, unit) for value in (row.a, row.b))
        difference = f"A−B {number(row.difference, unit, sign='+')} {interval(row)}"
        score = f"{row.benchmark}, {row.perturbation}, {row.metric}"
        lines.append(f"WORSE: {score}: A {a}, B {b}, {difference}, p {_p(row.p_holm)} (Holm), n = {row.n}")
    return lines


def transfer_lines(rows: Iterable[Transfer], console: Console) -> None:
    """Print one line per attack that was found on one model and judged on the other.

    Args:
        rows: The attacks.
        console: Where to print.
    """
    for row in rows:
        found_on, judge = ("A", "B") if row.found_on == 0 else ("B", "A")
        ends = f"[{100 * row.low:.1f}, {100 * row.high:.1f}]"
        text = (
            f"Transfer, {row.benchmark}: of {row.n} images that {row.attack} found on {found_on}, {judge} classifies "
            f"{row.right} correctly: {100 * row.right / row.n:.2f} % {ends}."
        )
        print_prose(text, console)


def rank_table(rows: Sequence[RankedScore], models: Sequence[str], console: Console) -> None:
    """Print one row per score: every model's value and the ranks it may have; an arrow says which way rank 1 is.

    Args:
        rows: The scores that all models have.
        models: Names of the models.
        console: Where to print.
    """
    arrows = "Rank 1 is the highest value (↑) or the lowest (↓)"
    table = Table(title=f"{RANK_TITLE}\n{arrows}", title_justify="left")
    for name in ("benchmark", "perturbation", "score"):
        table.add_column(name, overflow="fold")
    for name in models:
        table.add_column(Text(name), justify="right", no_wrap=True)
    for row in rows:
        unit = metric_of(row.score.metric).unit
        cells = [
            f"{number(value, unit)} ({ranks.best}-{ranks.worst})"
            if ranks.best < ranks.worst
            else f"{number(value, unit)} ({ranks.best})"
            for value, ranks in zip(row.values, row.ranks, strict=True)
        ]
        score = f"{row.score.metric} {'↑' if row.score.higher_is_better else '↓'}"
        table.add_row(*map(Text, (row.score.benchmark, row.score.perturbation, score, *cells)))
    print_table(table, console)


def _kappa(row: Comparison) -> str:
    consistency = row.consistency
    if consistency is None or consistency.kappa is None:
        return ""
    ends = "" if consistency.low is None else f" [{consistency.low:.2f}, {consistency.high:.2f}]"
    return f"{consistency.kappa:.2f}{ends}"


def _p(value: float | None) -> str:
    if value is None:
        return "-"
    return "<0.001" if value < 0.001 else f"{value:.3f}"
