"""All operations of a run on its store, in one thread: what the store holds of a cell, and writes of new outcomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from robustbench_eff.core.errors import StoreError
from robustbench_eff.core.shuffle import UnbiasedPrefix, fair_from
from robustbench_eff.storage.outcomes import as_numpy, right_shares
from robustbench_eff.storage.store import Store
from robustbench_eff.storage.stored_cell import StoredCell

from ..failures import FailedShard
from ..plan import PlannedCell, Task, remaining_samples
from ..shard_columns import ShardResult
from .open_cell import OpenCell, shard_size


@dataclass(frozen=True, slots=True)
class Progress:
    """State of a cell after a shard, or when the cell opens with the outcomes that the store already holds."""

    cell: StoredCell
    samples: int
    """Number of samples that this step added."""
    done: int
    """Number of samples that the store holds."""
    correct: float
    """Number of correct samples among `done`, with several votes per sample the sum of the fractions of right ones."""
    resumed: bool
    """True if the samples of this step came from the store instead of being computed."""
    seconds: float = 0.0
    """Seconds that workers have spent on the cell in this run."""
    ended: bool = False
    """True if the cell is complete or was stopped early."""
    drawn: tuple[int, float] | None = None
    """Length of the unbiased prefix and number of correct samples in it, if the samples come in random order."""
    failure: str = ""
    """Why the cell has failed; empty if it has not."""
    passes: int = 0
    """Forward and backward passes of the shards that are being computed, as far as they are known."""


@dataclass(frozen=True, slots=True)
class TaskFinished:
    """Event of a finished task."""

    task: Task
    found: Callable[[], ShardResult | FailedShard]
    """Convert the outcomes into the form that is stored, or return why there are none."""
    passes: int | None
    """Forward and backward passes of all its samples; None if they were not counted."""


@dataclass(slots=True, eq=False)
class StoreWriter:
    """Opens, writes and closes cells in the thread of the store; every method returns a future at once."""

    store: Store
    num_samples: Mapping[str, int]
    """Number of samples by cell id."""
    thread: Executor
    """Executor with one thread."""
    report: Callable[[Progress], None]
    """Called in the thread of the store after every step."""
    workers: int
    """Number of workers, which decides the size of shards."""
    drawn: bool
    """True if samples are dispatched in the order of `shuffled`."""
    clean_predictions: dict[str, npt.NDArray[np.int32]] = field(default_factory=dict)
    """Predictions of finished clean cells by cell id."""

    def open(self, planned: PlannedCell) -> Future[OpenCell]:
        """Open a cell with the outcomes that the store already holds.

        Args:
            planned: Cell of the plan; its clean cell must be finished.
        """
        return self.thread.submit(self._open, planned)

    def record(self, planned: PlannedCell) -> Future[None]:
        """Store the record of a cell that will not be opened.

        Args:
            planned: Cell of the plan.
        """
        return self.thread.submit(self.store.write_cell, planned.cell)

    def advance(self, cell: OpenCell, task: Task, passes: int) -> None:
        """Report how many passes a task in progress has made.

        Args:
            cell: Open cell of the task.
            task: The task.
            passes: Its passes so far.
        """
        self.thread.submit(self._advance, cell, task, passes)

    def write(self, cell: OpenCell, event: TaskFinished) -> Future[FailedShard | None]:
        """Store the outcomes of a shard, if there are any.

        Args:
            cell: Open cell of the task.
            event: Finished task.

        Returns:
            Future of the reason why there are none; of None if they were stored.
        """
        return self.thread.submit(self._write, cell, event)

    def close(self, cell: OpenCell) -> Future[None]:
        """Merge the shards of a cell into one file.

        Args:
            cell: Open cell without unfinished shards.
        """
        return self.thread.submit(self._close, cell)

    def _open(self, planned: PlannedCell) -> OpenCell:
        cell = planned.cell
        self.store.write_cell(cell)
        columns = ["correct", "votes"] if "votes_per_image" in cell.configuration else ["correct"]
        stored, num_files = self.store.load_for_resume(cell.id, columns)
        rows, right = as_numpy(stored["index"]), right_shares(stored)
        drawn = self.drawn and not planned.per_shard_randomness
        prefix = UnbiasedPrefix(cell.samples) if drawn else None
        if prefix is not None:
            prefix.add(rows, right)
        largest = shard_size(planned, self.workers)
        opened = OpenCell(
            planned=planned,
            clean_predictions=self._clean_predictions(planned),
            remaining=remaining_samples(cell.samples, rows, drawn=drawn),
            shard_size=min(planned.first_shard, largest),
            largest_shard=largest,
            fair_from=fair_from(rows, cell.samples) if drawn else cell.samples,
            num_given=len(rows),
            stored=(len(rows), float(right.sum())),
            prefix=prefix,
            num_files=num_files,
            has_gallery=self.store.has_picture(cell.id),
        )
        self._report(opened, len(rows), resumed=True)
        return opened

    def _advance(self, cell: OpenCell, task: Task, passes: int) -> None:
        cell.underway[int(task.rows[0])] = min(passes, cell.planned.passes * len(task.rows))
        self._report(cell, 0)

    def _write(self, cell: OpenCell, event: TaskFinished) -> FailedShard | None:
        result, cell_id = event.found(), cell.planned.cell.id
        cell.underway.pop(int(event.task.rows[0]), None)
        if isinstance(result, FailedShard):
            cell.failure = cell.failure or result.error.message
            return result
        if result.picture is not None:
            self.store.write_picture(cell_id, result.picture)
            cell.has_gallery = True
        self.store.write_shard(cell_id, result.outcomes)
        num_samples, correct = result.outcomes.num_rows, right_shares(result.outcomes)
        cell.num_files += 1
        cell.seconds += result.seconds
        cell.stored = cell.stored[0] + num_samples, cell.stored[1] + float(correct.sum())
        if cell.prefix is not None:
            cell.prefix.add(as_numpy(result.outcomes["index"]), correct)
        self._report(cell, num_samples)
        return None

    def _close(self, cell: OpenCell) -> None:
        if cell.num_files > 1:
            self.store.compact(cell.planned.cell.id)
        self._report(cell, 0, ended=True)

    def _report(self, cell: OpenCell, num_samples: int, *, resumed: bool = False, ended: bool = False) -> None:
        self.report(
            Progress(
                *(cell.planned.cell, num_samples, *cell.stored, resumed, cell.seconds, ended),
                drawn=None if cell.prefix is None else cell.prefix.counts,
                failure=cell.failure,
                passes=sum(cell.underway.values()),
            )
        )

    def _clean_predictions(self, planned: PlannedCell) -> npt.NDArray[np.int32] | None:
        """Return the clean predictions of a cell's samples; -1 for a sample without a clean image."""
        if planned.cell.kind == "none":
            return None
        if planned.clean is None:
            return np.full(planned.cell.samples, -1, np.int32)
        if planned.clean not in self.clean_predictions:
            outcomes = self.store.outcomes(planned.clean, ["prediction"])
            if outcomes.num_rows != self.num_samples[planned.clean]:
                raise StoreError(
                    f"{self.store.place} has lost clean outcomes during the run.",
                    "Repeat the same command: it computes them again.",
                )
            self.clean_predictions[planned.clean] = as_numpy(outcomes["prediction"])
        clean, rows = self.clean_predictions[planned.clean], planned.clean_rows
        return clean if rows is None else np.where(rows < 0, np.int32(-1), clean[rows])
