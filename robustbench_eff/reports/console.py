"""What a person or a program reads: the table, the JSON object, progress."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from robustbench_eff.scores.score import Score

from . import clean_table, cue_conflict_table, sequence_table, severity_table
from .formatting import interval, percent

if TYPE_CHECKING:
    pass


def score_table(scores: Sequence[Score], console: Console) -> None:
    """Print one row a score; protocols are numbered below, so that rows can be told to be comparable."""
    protocols = list(dict.fromkeys(score.protocol for score in scores))
    number = {protocol: f"({position})" for position, protocol in enumerate(protocols, 1)}
    distances = [score for score in scores if score.metric.startswith("median_distance")]
    corrupted = [score for score in scores if severity_table.belongs(score)]
    filmed = [score for score in scores if sequence_table.belongs(score)]
    details = [score for score in scores if clean_table.belongs(score)]
    conflicting = [score for score in scores if cue_conflict_table.belongs(score)]
    effective = [score for score in scores if score.metric == "effective_robustness"]
    elsewhere = (distances, corrupted, filmed, details, conflicting, effective)
    others = {id(score) for part in elsewhere for score in part}
    accuracies = [score for score in scores if id(score) not in others]
    rounded = {score.cell: score for score in accuracies if score.metric.endswith("_8bit")}
    flagged = any(score.flags for score in scores)
    if accuracies:
        table = _table("Accuracy in %, with its 95 % interval", ("accuracy", "interval", "8-bit"), flagged)
        for score in accuracies:
            if score.metric.endswith("_8bit"):
                continue
            twin = rounded.get(score.cell)
            cells = [percent(score.value), interval(score), "" if twin is None else percent(twin.value)]
            _add_row(table, score, cells, number, flagged)
        console.print(table)
    if distances:
        title = "Median distance of the nearest adversarial image found, in [0, 1] pixels, with its 95 % interval"
        table = _table(title, ("norm", "median", "interval"), flagged)
        for score in distances:
            ends = f"[{length(score.low)}, {length(score.high)}]" if score.n else "-"
            median = length(score.value) if score.n else "-"
            _add_row(table, score, [score.metric.rpartition("_")[2], median, ends], number, flagged)
        console.print(table)
    if details:
        console.print(clean_table.clean_table(details, number))
    if effective:
        title = "Effective robustness in points, with its 95 % interval"
        table = _table(title, ("effective robustness", "interval"), flagged)
        for score in effective:
            _add_row(table, score, [percent(score.value), interval(score)], number, flagged)
        console.print(table)
    for table in cue_conflict_table.cue_conflict_tables(conflicting, number) if conflicting else ():
        console.print(table)
    for table, overall in severity_table.severity_tables(corrupted):
        console.print(table)
        if overall:
            console.print(f"ImageNet-C's 15 corruptions: {overall}.", highlight=False, markup=False, soft_wrap=True)
    for table, overall in sequence_table.sequence_tables(filmed):
        console.print(table)
        if overall:
            console.print(overall, highlight=False, markup=False, soft_wrap=True)
    for protocol, mark in number.items():
        console.print(f"{mark} {protocol}", style="dim", highlight=False, markup=False)
    if rounded:
        console.print("8-bit: the perturbed images rounded to 8 bits, as files would hold them.", style="dim")


def length(value: float | None) -> str:
    """A distance as text; None is one that has no end."""
    return "∞" if value is None else f"{value:.4g}"


def _table(title: str, names: Sequence[str], flagged: bool) -> Table:
    table = Table(title=title, title_justify="left")
    for name in ("model", "benchmark", "perturbation"):
        table.add_column(name, overflow="fold")
    for name in (*names, "n", "protocol"):
        table.add_column(name, justify="right", no_wrap=True)
    if flagged:
        table.add_column("flags", overflow="fold")
    return table


def _add_row(table: Table, score: Score, cells: Sequence[str], number: dict[str, str], flagged: bool) -> None:
    _, at, radius = score.metric.partition("@")
    perturbation = f"{score.perturbation} at ε = {radius}" if at else score.perturbation
    if score.metric == "security_curve_area":
        perturbation = f"{score.perturbation}, mean over ε"
    row = [score.model, score.benchmark, perturbation, *cells, str(score.n), number[score.protocol]]
    table.add_row(*(Text(cell) for cell in ([*row, ", ".join(score.flags)] if flagged else row)))
