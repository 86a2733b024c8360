"""Progress of a run on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from robustbench_eff.core.statistics import wilson

from .formatting import percent

if TYPE_CHECKING:
    from robustbench_eff.evaluation.engines.store_writer import Progress as ShardProgress
    from robustbench_eff.evaluation.plan import Plan


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
