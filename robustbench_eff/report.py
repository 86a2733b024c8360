"""What a person or a program reads: the table, the JSON object, progress. Percentages exist only here."""

from __future__ import annotations

import json
import os
import time
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

from robustbench_eff.errors import Missing, RobustEvalError
from robustbench_eff.scores.score import Score

if TYPE_CHECKING:
    from robustbench_eff.engines.local import Progress as ShardProgress
    from robustbench_eff.plan import Work


def percent(value: float | None, digits: int = 2) -> str:
    """A fraction as text, an absence as a dash."""
    return "-" if value is None else f"{100 * value:.{digits}f}"


def interval(score: Score) -> str:
    """The 95 % interval in percent."""
    return "-" if score.low is None else f"[{percent(score.low)}, {percent(score.high)}]"


def score_table(scores: Sequence[Score], console: Console) -> None:
    """Print one row a cell; protocols are numbered below, so that rows can be told to be comparable."""
    protocols = list(dict.fromkeys(score.protocol for score in scores))
    rounded = {score.cell: score for score in scores if score.metric.endswith("_8bit")}
    table = Table(title="Accuracy in %, with its 95 % Wilson interval", title_justify="left")
    for name in ("model", "benchmark", "perturbation"):
        table.add_column(name, overflow="fold")
    for name in ("accuracy", "interval", "8-bit", "n", "protocol"):
        table.add_column(name, justify="right", no_wrap=True)
    flagged = any(score.flags for score in scores)
    if flagged:
        table.add_column("flags", overflow="fold")
    for score in scores:
        if score.metric.endswith("_8bit"):
            continue
        twin = rounded.get(score.cell)
        cells = [score.model, score.benchmark, score.perturbation, percent(score.value), interval(score)]
        cells += [
            "" if twin is None else percent(twin.value),
            str(score.n),
            f"({protocols.index(score.protocol) + 1})",
        ]
        cells += [", ".join(score.flags)] if flagged else []
        table.add_row(*(Text(cell) for cell in cells))
    console.print(table)
    for number, protocol in enumerate(protocols, 1):
        console.print(f"({number}) {protocol}", style="dim", highlight=False, markup=False)
    if rounded:
        console.print("8-bit: the perturbed images rounded to 8 bits, as files would hold them.", style="dim")


def json_object(scores: Iterable[Score], store: str, missing: Iterable[Missing]) -> str:
    """One JSON object with values as fractions."""
    return json.dumps(
        {
            "scores": [_plain(score) for score in scores],
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
        self._began: dict[str, float] = {}

    def preparing(self, benchmark: str, done: int, total: int) -> None:
        """Say now and then how far decoding is."""
        if not self._quiet and (done == total or done % 2000 == 0):
            self._console.print(f"preparing {benchmark}: {done} of {total} images", highlight=False, markup=False)

    def planned(self, works: Sequence[Work]) -> None:
        """Print what will be evaluated with which preprocessing, and start the bar."""
        if self._quiet:
            return
        for work in works:
            self._passes[work.cell.id] = 1 if work.attack is None else work.attack.max_passes
        for classifier in dict.fromkeys(work.classifier for work in works):
            self._console.print(
                f"{classifier.name}: {classifier.provenance.source}; {classifier.num_classes} classes; "
                f"{classifier.preprocessing}",
                highlight=False,
                markup=False,
                soft_wrap=True,
            )
            for note in classifier.provenance.notes:
                self._console.print(f"  {note}", highlight=False, markup=False, soft_wrap=True)
        if self._console.is_terminal:
            columns = (SpinnerColumn(), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
            times = (TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
            self._bar = Progress(
                *columns, *times, TextColumn("{task.description}", markup=False), console=self._console
            )
            total = sum(self._passes[work.cell.id] * work.cell.samples for work in works)
            self._bar.start()
            self._bar.add_task("starting", total=total)

    def progressed(self, progress: ShardProgress) -> None:
        """Advance the bar, or print a line when a cell is done."""
        if self._quiet:
            return
        cell = progress.cell
        text = f"{cell.model} · {cell.benchmark} · {cell.perturbation}"
        if progress.done:
            text += f": {percent(progress.correct / progress.done, 1)} % of {progress.done}"
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], advance=self._passes[cell.id] * progress.samples, description=text)
            return
        began = self._began.setdefault(cell.id, time.monotonic())
        if progress.done == cell.samples:
            how = "found in the store" if progress.resumed else f"{time.monotonic() - began:.1f} s"
            self._console.print(f"{text} ({how})", highlight=False, markup=False, soft_wrap=True)

    def ended(self) -> None:
        """Stop the bar."""
        if self._bar is not None:
            self._bar.stop()


def _plain(score: Score) -> dict[str, Any]:
    names = ("model", "benchmark", "perturbation", "metric", "value", "low", "high", "n", "protocol")
    return {name: getattr(score, name) for name in names} | {"flags": list(score.flags)}
