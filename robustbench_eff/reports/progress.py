"""Progress of a run on the terminal."""

from __future__ import annotations

import time
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

from robustbench_eff.scores.number_text import duration, percent

if TYPE_CHECKING:
    from robustbench_eff.evaluation.engines.store_writer import Progress as ShardProgress
    from robustbench_eff.evaluation.plan import Plan


FIRST_LINE_SECONDS = 10.0
"""How long after the start the first line about an unfinished cell is printed where there is no bar."""
LINE_SECONDS = 60.0
"""Least time between two such lines."""


class Display:
    """A progress bar with the time left and live accuracy on a terminal; elsewhere a line per cell, and per minute."""

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        """Start without a bar.

        Args:
            console: Where to print.
            quiet: Print nothing.
        """
        self._console = console
        self._quiet = quiet
        self._bar: Progress | None = None
        self._passes: dict[str, int] = {}
        """Largest number of passes per sample, by cell."""
        self._done: dict[str, int] = {}
        """Passes that are done or not needed any more, by cell."""
        self._total = self._found = 0
        """All passes of the run, and those whose outcomes were found in the store."""
        self._started = self._next_line = 0.0
        """Moments of the clock `time.monotonic`."""

    def preparing(self, benchmark: str, done: int, total: int) -> None:
        """Print how many images are decoded, every 2,000 images and at the end.

        Args:
            benchmark: Name of the benchmark.
            done: Number of decoded images.
            total: Number of images.
        """
        if not self._quiet and (done == total or done % 2000 == 0):
            self._console.print(f"preparing {benchmark}: {done} of {total} images", highlight=False, markup=False)

    def planned(self, plan: Plan) -> None:
        """Print the models with their preprocessing, and start the bar; if quiet, print only what was assumed.

        Args:
            plan: The cells of the run.
        """
        if self._quiet:
            for line in dict.fromkeys(line for planned in plan.cells for line in planned.all_assumed):
                self._print(line)
            return
        self._passes = {planned.cell.id: planned.passes for planned in plan.cells}
        self._total = sum(item.passes * item.cell.samples for item in plan.cells)
        self._started = time.monotonic()
        self._next_line = self._started + FIRST_LINE_SECONDS
        models = {planned.cell.model_identity: planned for planned in reversed(plan.cells)}
        for planned in models.values():
            cell = planned.cell
            self._print(f"{cell.model}: {cell.model_source}; {planned.num_classes} classes; {cell.preprocessing}")
            for note in planned.provenance.notes:
                self._print(f"  {note}")
        for line in dict.fromkeys(line for planned in plan.cells for line in planned.assumed):
            self._print(f"  {line}")
        if self._console.is_terminal:
            columns = (SpinnerColumn(), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
            texts = (TextColumn("{task.fields[left]}"), TextColumn("{task.description}", markup=False))
            self._bar = Progress(*columns, TimeElapsedColumn(), *texts, console=self._console)
            self._bar.start()
            self._bar.add_task("starting", total=self._total, left="")

    def progressed(self, progress: ShardProgress) -> None:
        """Advance the bar, or print a line when a cell is finished.

        Args:
            progress: The state of the cell.
        """
        if self._quiet:
            return
        cell = progress.cell
        self._count(progress)
        text = f"{cell.model} · {cell.benchmark} · {cell.perturbation}{_accuracy(progress)}"
        if progress.failure:
            text = f"{cell.model} · {cell.benchmark} · {cell.perturbation} failed: {progress.failure}"
        if self._bar is not None:
            completed = sum(self._done.values())
            self._bar.update(self._bar.task_ids[0], completed=completed, description=text, left=self._left())
        elif not progress.ended:
            if (now := time.monotonic()) >= self._next_line and (left := self._left()):
                self._next_line = now + LINE_SECONDS
                share = sum(self._done.values()) / self._total
                self._print(f"{percent(share, 0)} % of the run, {left}; now {text}")
        elif progress.failure:
            self._print(text)
        else:
            self._print(f"{text} ({f'{progress.seconds:.1f} s' if progress.seconds else 'found in the store'})")

    def ended(self) -> None:
        """Stop the bar."""
        if self._bar is not None:
            self._bar.stop()

    def _count(self, progress: ShardProgress) -> None:
        """Note the passes of a cell; those that an attack did not need count as done."""
        cell, passes = progress.cell, self._passes[progress.cell.id]
        done = cell.samples if progress.ended else progress.done
        self._done[cell.id] = min(passes * done + progress.passes, passes * cell.samples)
        self._found += passes * progress.samples * progress.resumed

    def _left(self) -> str:
        """How long the rest of the run takes if it goes on as so far; empty where nothing was computed yet."""
        done = sum(self._done.values())
        if done <= self._found:
            return ""
        seconds = (time.monotonic() - self._started) * (self._total - done) / (done - self._found)
        return f"about {duration(seconds)} left"

    def _print(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)


class LongJobs:
    """How far downloads and the like are: a bar on a terminal, and a line at each quarter elsewhere."""

    def __init__(self, console: Console) -> None:
        """Start with no job.

        Args:
            console: Where to print.
        """
        self._console = console
        self._bar: Progress | None = None
        self._quarters: dict[str, int] = {}

    def __call__(self, title: str, done: int, total: int) -> None:
        """Show how far a job is.

        Args:
            title: What the job is working on.
            done: Number of items that are done.
            total: Number of items of the job.
        """
        quarter = 4 * done // max(1, total)
        if self._console.is_terminal:
            if self._bar is None:
                description = TextColumn("{task.description}", markup=False)
                columns = (description, BarColumn(), TextColumn("{task.percentage:>3.0f}%"), TimeRemainingColumn())
                self._bar = Progress(*columns, console=self._console, transient=True)
                self._bar.add_task(title)
                self._bar.start()
            self._bar.update(self._bar.task_ids[0], description=title, completed=done, total=total)
            if done >= total:
                self.stop()
        elif quarter != self._quarters.get(title, 0):
            self._quarters[title] = quarter
            self._console.print(f"{title}: {25 * quarter} %", highlight=False, markup=False, soft_wrap=True)

    def stop(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _accuracy(progress: ShardProgress) -> str:
    """The accuracy so far, with the half-width of its interval if the samples are drawn at random."""
    if progress.drawn and progress.drawn[0]:
        from robustbench_eff.core.statistics import proportion_interval  # with numpy, which a list does not need

        done, correct = progress.drawn
        low, high = proportion_interval(correct, done)
        return f": {percent(correct / done, 1)} ±{percent((high - low) / 2, 1)} % of {done} drawn"
    return f": {percent(progress.correct / progress.done, 1)} % of {progress.done}" if progress.done else ""
