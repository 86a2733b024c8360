"""Which samples are worked on next and by whom: the same for every engine.

A worker may die at any time: what it had not answered is given to another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, runtime_checkable

from robustbench_eff.core.errors import EvaluationError
from robustbench_eff.core.statistics import wilson
from robustbench_eff.storage.store import Store

from ..plan import CLEAN, Plan, PlannedCell, Task
from .store_writer import OpenCell, Progress, StoreWriter, TaskFinished

MAX_DEATHS = 3
"""After so many workers died of the same samples, no other one is given them."""
MAX_PENDING_WRITES = 8
"""Shards that may wait to be written before no further one is given out."""
TASKS_PER_WORKER = 2
"""Tasks that a worker has at once: one it works on, and one whose images it fetches meanwhile."""
NO_TASK = ("", 0)
"""What a worker dies of that had not begun a task."""
POLL_SECONDS = 0.05
"""Seconds between two looks at the store while a worker has nothing to do."""


@dataclass(frozen=True, slots=True)
class WorkerLost:
    """A worker died and left these tasks, the first of them begun; there is, or will be, another one in its place."""

    worker: int
    tasks: Sequence[Task]
    why: str


@runtime_checkable
class Pool(Protocol):
    """Workers, each with its models. What one of them raises comes out of `plan` or `wait`."""

    size: int
    """How many there are meant to be."""

    def plan(self, preparing: Callable[[str, int, int], None]) -> Plan:
        """What a worker finds there is to do."""

    def free(self) -> Sequence[int]:
        """The workers that can take one more task, those with the fewest first."""

    def give(self, worker: int, task: Task) -> None:
        """Put a task into a worker's queue."""

    def wait(self, seconds: float | None) -> Sequence[TaskFinished | WorkerLost]:
        """What happened since; waits for something to happen, but no longer than that."""

    def close(self) -> None:
        """End all workers, whatever they do."""


def run(
    plan: Plan,
    pool: Pool,
    store: Store,
    report: Callable[[Progress], None],
    *,
    drawn: bool = False,
    target_ci: float | None = None,
) -> None:
    """Work off every cell of a plan; what the store holds already is not computed again.

    With `drawn` the samples of a cell come in the order of `shuffled`. With `target_ci`, a fraction, a cell whose
    number is an accuracy ends when the half-width of its interval is at most that; clean cells, which the others
    build on, are always whole. Stopping by the width alone leaves the interval's coverage what it is as samples become
    many (Chow and Robbins 1965, "On the asymptotic theory of fixed-width sequential confidence intervals for the
    mean").
    `report` is called in another thread, one call at a time.
    """
    with ThreadPoolExecutor(1, "store") as storing:
        _Run(plan, pool, StoreWriter(plan, store, report, storing, pool.size, drawn), target_ci).work()


class _Run:
    """What is given out next, and what becomes of it."""

    def __init__(self, plan: Plan, pool: Pool, ledger: StoreWriter, target_ci: float | None) -> None:
        self.pool, self.ledger, self.target_ci = pool, ledger, target_ci
        self.ahead = list(plan.cells)
        """Cells that nobody has begun, in the order of the plan."""
        self.begun: set[str] = set()
        """Models of which a cell was begun."""
        self.opening: dict[Future[OpenCell], str] = {}
        """By the model."""
        self.open: list[OpenCell] = []
        self.writing: dict[Future[None], OpenCell] = {}
        self.closing: dict[Future[None], str] = {}
        self.finished: set[str] = set()
        self.models: dict[int, str] = {}
        """What each worker had loaded last."""
        self.deaths: Counter[tuple[str, int]] = Counter()
        self.out = 0

    def work(self) -> None:
        """Give out and store until nothing is left."""
        while True:
            self._look_after()
            pending: list[Future[Any]] = [*self.opening, *self.writing, *self.closing]
            if len(self.writing) <= MAX_PENDING_WRITES:
                self._give_out(bool(pending))
            stranded = any(cell.left or cell.lost for cell in self.open) and not self.pool.free()
            if self.out or stranded:
                idle = bool(pending) and (stranded or bool(self.pool.free()))
                for event in self.pool.wait(POLL_SECONDS if idle else None):
                    self._hear(event)
            elif pending:
                wait(pending, return_when=FIRST_COMPLETED)
            elif not self.ahead:
                return

    def _look_after(self) -> None:
        """See what the store has done, end cells that are complete, and begin others."""
        for opened in [future for future in self.opening if future.done()]:
            del self.opening[opened]
            self.open.append(opened.result())
            self._end_early(self.open[-1])
        for written in [future for future in self.writing if future.done()]:
            written.result()
            cell = self.writing.pop(written)
            cell.out -= 1
            self._end_early(cell)
        for cell in [cell for cell in self.open if not (cell.left or cell.lost or cell.out)]:
            self.open.remove(cell)
            self.closing[self.ledger.end(cell)] = cell.planned.cell.id
        for closed in [future for future in self.closing if future.done()]:
            closed.result()
            self.finished.add(self.closing.pop(closed))
        while (planned := self._next()) is not None:
            enough = len(self.opening) + sum(bool(cell.left) for cell in self.open) > self.pool.size
            if enough and self._at_work()[planned.cell.model_digest]:
                return  # but every begun model has a cell, for whose workers wait for it
            self.ahead.remove(planned)
            self.begun.add(planned.cell.model_digest)
            self.opening[self.ledger.begin(planned)] = planned.cell.model_digest

    def _next(self) -> PlannedCell | None:
        """The cell to be begun next: a further model only when there are fewer than workers, so that each keeps to its
        own; of the others the one with the fewest begun cells."""
        at_work = self._at_work()
        not_given_out = {of.cell.model_digest for of in self.ahead} & self.begun | at_work.keys()
        ready = [of for of in self.ahead if of.clean is None or of.clean in self.finished]
        if len(not_given_out) >= self.pool.size:
            ready = [of for of in ready if of.cell.model_digest in not_given_out]
        return min(ready, key=lambda of: at_work[of.cell.model_digest], default=None)

    def _at_work(self) -> Counter[str]:
        """How many cells of each model can be given out, or soon."""
        found = Counter(cell.planned.cell.model_digest for cell in self.open if cell.left or cell.lost)
        found.update(self.opening.values())
        return found

    def _end_early(self, cell: OpenCell) -> None:
        """Leave the rest of a cell whose interval is as narrow as was asked for; on clean cells the others build."""
        planned = cell.planned
        if self.target_ci is None or planned.cell.perturbation == CLEAN or not planned.supports_early_stop:
            return
        done, correct = cell.prefix.counts if cell.prefix is not None else (0, 0)
        if done and cell.fair:
            low, high = wilson(correct, done)
            if (high - low) / 2 <= self.target_ci:
                cell.left.clear()

    def _give_out(self, pending: bool) -> None:
        """Give out what can be taken now; `pending` says whether the store will bring more."""
        while cells := [cell for cell in self.open if cell.left or cell.lost]:
            pairs = ((worker, min(cells, key=partial(self._price, worker))) for worker in self.pool.free())
            patient = pending or self.out > 0
            taken = next((pair for pair in pairs if not (patient and self._waits(*pair))), None)
            if taken is None:
                return
            worker, cell = taken
            rows = cell.taken()
            planned = cell.planned
            known = None if cell.known is None else cell.known[rows]
            self.models[worker] = planned.cell.model_digest
            self.pool.give(worker, Task(planned.cell_index, planned.cell, rows, known, cell.has_gallery))
            self.out += 1
            cell.out += 1

    def _waits(self, worker: int, cell: OpenCell) -> bool:
        """Whether a worker should rather wait for further cells of its model than load that of this cell."""
        mine = self.models.get(worker)
        return mine not in (None, cell.planned.cell.model_digest) and any(
            of.cell.model_digest == mine for of in self.ahead
        )

    def _price(self, worker: int, cell: OpenCell) -> tuple[bool, int]:
        """A worker goes on with its model; a new one it takes where the fewest others are, the first of the plan."""
        digest = cell.planned.cell.model_digest
        others = sum(model == digest for other, model in self.models.items() if other != worker)
        return self.models.get(worker, digest) != digest, others

    def _hear(self, event: TaskFinished | WorkerLost) -> None:
        if isinstance(event, TaskFinished):
            self.out -= 1
            for survived in (_key(event.task), NO_TASK):
                self.deaths.pop(survived, None)
            cell = self._cell_of(event.task)
            self.writing[self.ledger.keep(cell, event)] = cell
            return
        self.models.pop(event.worker, None)
        for task in event.tasks:
            self.out -= 1
            cell = self._cell_of(task)
            cell.out -= 1
            cell.lost.append(task.rows)
        blamed = _key(event.tasks[0]) if event.tasks else NO_TASK
        self.deaths[blamed] += 1
        if self.deaths[blamed] >= MAX_DEATHS and (event.tasks or not self.out):  # others may be at work
            of = "their start"
            if event.tasks:
                of = f"the same samples, {event.tasks[0].cell.perturbation} on {event.tasks[0].cell.model}"
            raise EvaluationError(
                f"{MAX_DEATHS} workers died of {of}: {event.why}.",
                "Out of memory is the usual cause: try a smaller --batch-size, or fewer workers. "
                "What was finished is in the store.",
            )

    def _cell_of(self, task: Task) -> OpenCell:
        return next(cell for cell in self.open if cell.planned.cell.id == task.cell.id)


def _key(task: Task) -> tuple[str, int]:
    return task.cell.id, int(task.rows[0])
