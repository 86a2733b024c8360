"""The dispatch loop: which samples are evaluated next and by which worker; the same for every engine.

A worker may die at any time: its unfinished tasks are given to another worker.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from typing import Any

from robustbench_eff.core.errors import EvaluationError
from robustbench_eff.core.shortages import NO_MEMORY_HINT
from robustbench_eff.core.statistics import proportion_interval
from robustbench_eff.storage.store import Store

from ..failures import FailedCell, FailedShard, dependent_failure
from ..plan import Plan, PlannedCell, Task
from .open_cell import OpenCell
from .pool import MAX_DEATHS, Pool, WorkerLost
from .store_writer import Progress, StoreWriter, TaskFinished

MAX_PENDING_WRITES = 8
"""Number of finished shards that may wait to be written; above it no further shard is dispatched."""
NO_TASK = ("", 0)
"""Key that counts deaths of workers before their first task."""
POLL_SECONDS = 0.05
"""Seconds between two checks of pending store operations while a worker is idle."""


def run(
    plan: Plan,
    pool: Pool,
    store: Store,
    report: Callable[[Progress], None],
    *,
    drawn: bool = False,
    target_ci: float | None = None,
) -> list[FailedCell]:
    """Evaluate every cell of a plan; outcomes that the store already holds are not computed again.

    A cell whose perturbation or model fails ends without further outcomes, and the cells that depend on it are not
    begun; all others are evaluated.

    Args:
        plan: Cells to evaluate, each clean cell before the cells that depend on it.
        pool: Workers that compute the outcomes.
        store: Store of the outcomes, locked by the caller.
        report: Called after every stored shard, in another thread, one call at a time.
        drawn: Evaluate the samples of a cell in the order of `shuffled` instead of the benchmark's order.
        target_ci: Half-width of the exact interval, as a fraction, at which a cell whose score is an accuracy stops
            early. Clean cells, on which the others depend, always finish. Stopping by the width alone keeps the
            coverage of the interval as the number of samples grows.

    Returns:
        The cells that failed, in the order in which they did.

    Raises:
        EvaluationError: If a worker would compute another cell, or `MAX_DEATHS` workers die of the same samples.
        ModelError: If an attack changed the model.
        StoreError: If the store cannot be read or written.

    Source:
        Chow and Robbins 1965, "On the asymptotic theory of fixed-width sequential confidence intervals for the mean".
    """
    with ThreadPoolExecutor(1, "store") as store_thread:
        num_samples = {planned.cell.id: planned.cell.samples for planned in plan.cells}
        writer = StoreWriter(store, num_samples, store_thread, report, workers=pool.size, drawn=drawn)
        running = _Run(plan, pool, writer, target_ci)
        running.work()
        return [*running.failed.values()]


class _Run:
    """State of a run: the cells that wait, are open or are closing, and the tasks of the workers."""

    def __init__(self, plan: Plan, pool: Pool, writer: StoreWriter, target_ci: float | None) -> None:
        self.pool, self.writer, self.target_ci = pool, writer, target_ci
        self.waiting = list(plan.cells)
        """Cells that are not open yet, in the order of the plan."""
        self.begun: set[str] = set()
        """Digests of the models with a cell that was opened."""
        self.opening: dict[Future[OpenCell], str] = {}
        """Digest of the model by the future of the cell."""
        self.open: list[OpenCell] = []
        self.writing: dict[Future[FailedShard | None], OpenCell] = {}
        self.closing: dict[Future[None], str] = {}
        """Id of the cell by the future that closes it."""
        self.finished: set[str] = set()
        """Ids of the closed cells, without the failed ones."""
        self.failed: dict[str, FailedCell] = {}
        """By id of the cell."""
        self.models: dict[int, str] = {}
        """Digest of the model that each worker used last."""
        self.deaths: Counter[tuple[str, int]] = Counter()
        self.num_dispatched = 0
        """Tasks that a worker holds."""

    def work(self) -> None:
        """Dispatch tasks and store their outcomes until no cell is left."""
        while True:
            self._advance_cells()
            pending: list[Future[Any]] = [*self.opening, *self.writing, *self.closing]
            if len(self.writing) <= MAX_PENDING_WRITES:
                self._dispatch(bool(pending))
            stranded = any(cell.has_shards for cell in self.open) and not self.pool.free()
            if self.num_dispatched or stranded:
                idle = bool(pending) and (stranded or bool(self.pool.free()))
                for event in self.pool.wait(POLL_SECONDS if idle else None, self._advanced):
                    self._handle(event)
            elif pending:
                wait(pending, return_when=FIRST_COMPLETED)
            elif not self.waiting:
                return

    def _advance_cells(self) -> None:
        """Take over what the store thread has finished, close complete cells, and open further ones."""
        for opened in [future for future in self.opening if future.done()]:
            del self.opening[opened]
            self.open.append(opened.result())
            self._stop_early(self.open[-1])
        for written in [future for future in self.writing if future.done()]:
            failure = written.result()
            cell = self.writing.pop(written)
            cell.num_unstored -= 1
            if failure is None:
                self._stop_early(cell)
            else:
                self._give_up(cell, failure)
        for cell in [cell for cell in self.open if not (cell.has_shards or cell.num_unstored)]:
            self.open.remove(cell)
            self.closing[self.writer.close(cell)] = cell.planned.cell.id
        for closed in [future for future in self.closing if future.done()]:
            closed.result()
            self.finished.add(self.closing.pop(closed))
        self.finished -= self.failed.keys()
        self._drop_dependants()
        self._open_cells()

    def _open_cells(self) -> None:
        while (planned := self._next_cell()) is not None:
            num_open = len(self.opening) + sum(len(cell.remaining) > 0 for cell in self.open)
            if num_open > self.pool.size and self._num_cells_by_model()[planned.cell.model_digest]:
                return  # a model without an open cell is exempt: the workers that have loaded it wait for its next cell
            self.waiting.remove(planned)
            self.begun.add(planned.cell.model_digest)
            self.opening[self.writer.open(planned)] = planned.cell.model_digest

    def _next_cell(self) -> PlannedCell | None:
        """Return the next cell to open.

        A new model is opened only while fewer models than workers are in use; otherwise the model with the fewest open
        cells comes first.
        """
        num_cells = self._num_cells_by_model()
        in_use = {planned.cell.model_digest for planned in self.waiting} & self.begun | num_cells.keys()
        ready = [planned for planned in self.waiting if planned.clean is None or planned.clean in self.finished]
        if len(in_use) >= self.pool.size:
            ready = [planned for planned in ready if planned.cell.model_digest in in_use]
        return min(ready, key=lambda planned: num_cells[planned.cell.model_digest], default=None)

    def _num_cells_by_model(self) -> Counter[str]:
        """Return the number of cells of each model with shards to dispatch, now or as soon as they are open."""
        counts = Counter(cell.planned.cell.model_digest for cell in self.open if cell.has_shards)
        counts.update(self.opening.values())
        return counts

    def _stop_early(self, cell: OpenCell) -> None:
        """Stop a cell early once its interval is narrow enough.

        Clean cells always finish: attack cells depend on them.
        """
        planned = cell.planned
        if self.target_ci is None or planned.cell.kind == "none" or not planned.supports_early_stop:
            return
        num_samples, num_correct = cell.prefix.counts if cell.prefix is not None else (0, 0)
        if num_samples and cell.is_unbiased:
            low, high = proportion_interval(num_correct, num_samples)
            if (high - low) / 2 <= self.target_ci:
                cell.drop_remaining()

    def _give_up(self, cell: OpenCell, failure: FailedShard) -> None:
        """Dispatch no more shards of a cell; the first reason counts."""
        self.failed.setdefault(cell.planned.cell.id, FailedCell(cell.planned.cell, failure.error))
        cell.drop_remaining()
        cell.lost.clear()

    def _drop_dependants(self) -> None:
        """Give up the cells whose clean cell has failed; their records say that they were wanted."""
        for planned in [planned for planned in self.waiting if planned.clean in self.failed]:
            self.waiting.remove(planned)
            self.failed[planned.cell.id] = FailedCell(planned.cell, dependent_failure(planned.cell))
            self.closing[self.writer.record(planned)] = planned.cell.id

    def _dispatch(self, pending: bool) -> None:
        """Dispatch as many tasks as the workers take; `pending` is True if the store thread will open more cells."""
        while cells := [cell for cell in self.open if cell.has_shards]:
            pairs = ((worker, min(cells, key=partial(self._cost, worker))) for worker in self.pool.free())
            may_wait = pending or self.num_dispatched > 0
            chosen = next((pair for pair in pairs if not (may_wait and self._should_wait(*pair))), None)
            if chosen is None:
                return
            worker, cell = chosen
            rows, planned = cell.next_shard(), cell.planned
            clean_predictions = None if cell.clean_predictions is None else cell.clean_predictions[rows]
            self.models[worker] = planned.cell.model_digest
            self.pool.give(worker, Task(planned.cell_index, planned.cell, rows, clean_predictions, cell.has_gallery))
            self.num_dispatched += 1
            cell.num_unstored += 1

    def _should_wait(self, worker: int, cell: OpenCell) -> bool:
        """Return True if further cells of the worker's model are to come, so that it need not load that of `cell`."""
        loaded = self.models.get(worker)
        return loaded not in (None, cell.planned.cell.model_digest) and any(
            planned.cell.model_digest == loaded for planned in self.waiting
        )

    def _cost(self, worker: int, cell: OpenCell) -> tuple[bool, int]:
        """Return the sort key of a worker's next cell.

        A worker keeps its model; of other models it takes the one with the fewest workers, and the first of the plan.
        """
        digest = cell.planned.cell.model_digest
        num_others = sum(model == digest for other, model in self.models.items() if other != worker)
        return self.models.get(worker, digest) != digest, num_others

    def _advanced(self, task: Task, passes: int) -> None:
        self.writer.advance(self._cell_of(task), task, passes)

    def _handle(self, event: TaskFinished | WorkerLost) -> None:
        if isinstance(event, TaskFinished):
            self.num_dispatched -= 1
            for survived in (_key(event.task), NO_TASK):
                self.deaths.pop(survived, None)
            cell = self._cell_of(event.task)
            cell.learn(len(event.task.rows), event.passes)
            self.writing[self.writer.write(cell, event)] = cell
            return
        self.models.pop(event.worker, None)
        for task in event.tasks:
            self.num_dispatched -= 1
            cell = self._cell_of(task)
            cell.num_unstored -= 1
            cell.lost.append(task.rows)
        self._count_death(event)

    def _count_death(self, event: WorkerLost) -> None:
        """Count a death; raise EvaluationError if the same samples, or the start of a worker, caused too many."""
        key = _key(event.tasks[0]) if event.tasks else NO_TASK
        self.deaths[key] += 1
        # Deaths at the start end the run only if no worker is alive to compute something.
        if self.deaths[key] < MAX_DEATHS or not (event.tasks or not self.num_dispatched):
            return
        cause = "while they started"
        if event.tasks:
            cause = f"on the same samples, {event.tasks[0].cell.perturbation} on {event.tasks[0].cell.model}"
        raise EvaluationError(
            f"{MAX_DEATHS} workers died {cause}: {event.why}.",
            f"Workers usually die because the system runs out of memory. {NO_MEMORY_HINT}",
        )

    def _cell_of(self, task: Task) -> OpenCell:
        return next(cell for cell in self.open if cell.planned.cell.id == task.cell.id)


def _key(task: Task) -> tuple[str, int]:
    """Return the cell and the first sample of a task: the key that counts deaths."""
    return task.cell.id, int(task.rows[0])
