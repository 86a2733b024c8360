"""What a person or a program reads: the table, the JSON object, progress."""

from __future__ import annotations

import dataclasses
import json
import os
import traceback
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from robustbench_eff import clean_table, cue_conflict_table, sequence_table, severity_table
from robustbench_eff.errors import Missing, RobustEvalError
from robustbench_eff.figures import interval, percent
from robustbench_eff.scores.intervals import wilson
from robustbench_eff.scores.score import Score

if TYPE_CHECKING:
    from robustbench_eff.checks import Verdict
    from robustbench_eff.engines.ledger import Progress as ShardProgress
    from robustbench_eff.plan import Plan


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


def verdict_lines(verdicts: Sequence[Verdict], console: Console) -> None:
    """What the checks for gradient masking say: suspicions one a line, the rest in a sentence.

    Nothing of models that nobody attacked, unless they answer at random.
    """
    for subject in dict.fromkeys((verdict.model, verdict.benchmark, verdict.protocol) for verdict in verdicts):
        mine = [verdict for verdict in verdicts if (verdict.model, verdict.benchmark, verdict.protocol) == subject]
        attacked = any(verdict.finding != "not run" for verdict in mine if verdict.check != "random_outputs")
        if not attacked and all(verdict.finding != "suspect" for verdict in mine):
            continue
        for verdict in mine:
            if verdict.finding == "suspect":
                text = f"{' · '.join(subject)}: gradient masking suspected ({verdict.check}): {verdict.evidence}."
                console.print(text, style="bold", markup=False, highlight=False, soft_wrap=True)
        words = [f"{finding} {', '.join(names)}" for finding, names in _by_finding(mine).items()]
        text = f"Checks for gradient masking, {' · '.join(subject)}: {'; '.join(words)}."
        console.print(text, style="dim", markup=False, highlight=False, soft_wrap=True)


def _by_finding(verdicts: Sequence[Verdict]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for verdict in verdicts:
        found.setdefault(verdict.finding, []).append(verdict.check)
    return found


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


def json_object(scores: Iterable[Score], store: str, missing: Iterable[Missing], verdicts: Iterable[Verdict]) -> str:
    """One JSON object with values as fractions."""
    return json.dumps(
        {
            "scores": [_plain(score) for score in scores],
            "checks": [dataclasses.asdict(verdict) for verdict in verdicts],
            "store": store,
            "missing": [{"what": item.what, "where": item.where, "how": item.how} for item in missing],
        },
        ensure_ascii=False,
    )


def print_error(error: RobustEvalError, console: Console) -> None:
    """The message, then the hint; a traceback only with ROBUST_EVAL_TRACEBACK=1."""
    if os.environ.get("ROBUST_EVAL_TRACEBACK") == "1":
        console.print("".join(traceback.format_exception(error)), markup=False, highlight=False, soft_wrap=True)
    console.print("error: ", style="bold red", end="")
    console.print(error.message, markup=False, highlight=False, soft_wrap=True)
    if error.hint:
        console.print(error.hint, markup=False, highlight=False, soft_wrap=True)


class Display:
    """Progress of a run: a bar with ETA and live accuracy on a terminal, a plain line a cell elsewhere."""

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self._console = console
        self._quiet = quiet
        self._bar: Progress | None = None
        self._passes: dict[str, int] = {}

    def preparing(self, benchmark: str, done: int, total: int) -> None:
        """Say now and then how far decoding is."""
        if not self._quiet and (done == total or done % 2000 == 0):
            self._console.print(f"preparing {benchmark}: {done} of {total} images", highlight=False, markup=False)

    def planned(self, plan: Plan) -> None:
        """Print what will be evaluated with which preprocessing, and start the bar."""
        if self._quiet:
            return
        self._passes = {planned.cell.id: planned.passes for planned in plan.cells}
        models = {(of.cell.model_digest, of.cell.preprocessing): of for of in reversed(plan.cells)}
        for of in models.values():
            self._console.print(
                f"{of.cell.model}: {of.cell.model_source}; {of.num_classes} classes; {of.cell.preprocessing}",
                highlight=False,
                markup=False,
                soft_wrap=True,
            )
            for note in of.provenance.notes:
                self._console.print(f"  {note}", highlight=False, markup=False, soft_wrap=True)
        if self._console.is_terminal:
            columns = (SpinnerColumn(), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
            times = (TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
            self._bar = Progress(
                *columns, *times, TextColumn("{task.description}", markup=False), console=self._console
            )
            total = sum(of.passes * of.cell.samples for of in plan.cells)
            self._bar.start()
            self._bar.add_task("starting", total=total)

    def progressed(self, progress: ShardProgress) -> None:
        """Advance the bar, or print a line when a cell is done."""
        if self._quiet:
            return
        cell = progress.cell
        text = f"{cell.model} · {cell.benchmark} · {cell.perturbation}"
        if progress.drawn and progress.drawn[0]:
            done, correct = progress.drawn
            low, high = wilson(correct, done)
            text += f": {percent(correct / done, 1)} ±{percent((high - low) / 2, 1)} % of {done} drawn"
        elif progress.done:
            text += f": {percent(progress.correct / progress.done, 1)} % of {progress.done}"
        if self._bar is not None:
            samples = cell.samples - progress.done if progress.ended else progress.samples
            self._bar.update(self._bar.task_ids[0], advance=self._passes[cell.id] * samples, description=text)
            return
        if progress.ended:
            how = f"{progress.seconds:.1f} s" if progress.seconds else "found in the store"
            self._console.print(f"{text} ({how})", highlight=False, markup=False, soft_wrap=True)

    def ended(self) -> None:
        """Stop the bar."""
        if self._bar is not None:
            self._bar.stop()


def _plain(score: Score) -> dict[str, Any]:
    names = ("model", "benchmark", "perturbation", "metric", "value", "low", "high", "n", "protocol")
    return {name: getattr(score, name) for name in names} | {"flags": list(score.flags)}
