"""What the store holds of every cell and what is left of it: all that a run does with a store, in one thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from robustbench_eff.core.errors import StoreError
from robustbench_eff.core.shuffle import UnbiasedPrefix, fair_from
from robustbench_eff.storage.outcomes import as_numpy
from robustbench_eff.storage.store import Store
from robustbench_eff.storage.stored_cell import StoredCell

from ..plan import CLEAN, Plan, PlannedCell, SampleIndices, Task, shards_of
from ..worker import ShardResult

MIN_SHARD_SIZE, SHARDS_PER_WORKER = 64, 4
"""Several workers get smaller shards, so that none waits long for the last: that many a worker, of so many samples."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands after a shard (or at the start of a cell, with what was found in the store)."""

    cell: StoredCell
    samples: int
    """How many samples this step added."""
    done: int
    correct: int
    resumed: bool
    """Whether these samples were found in the store rather than computed."""
    seconds: float = 0.0
    """That workers took for the cell so far in this run."""
    ended: bool = False
    """Whether nothing more will be done for this cell: all its samples are there, or enough of them."""
    drawn: tuple[int, int] | None = None
    """In random order, of how many there is a fair sample, and how many of those are right."""


@dataclass(frozen=True, slots=True)
class TaskFinished:
    """A worker is done with a task; `found` puts its answers into the form in which they are stored."""

    task: Task
    found: Callable[[], ShardResult]


@dataclass(slots=True, eq=False)
class OpenCell:
    """A cell that is being worked on."""

    planned: PlannedCell
    known: npt.NDArray[np.int32] | None
    """Clean predictions of all its samples."""
    left: deque[SampleIndices]
    fair_from: int
    """With so many samples given out, they are the first of `shuffled`, and with any further ones."""
    given: int
    stored: tuple[int, int]
    """Samples that the store holds, and how many of them are right; replaced together, by the thread of the store."""
    prefix: UnbiasedPrefix | None
    """Those of them that are a fair sample, where they come in random order."""
    files: int
    """In which the store holds it."""
    has_gallery: bool
    lost: deque[SampleIndices] = field(default_factory=deque)
    """What dead workers left."""
    seconds: float = 0.0
    out: int = 0
    """Shards that were given out and are not in the store yet."""

    @property
    def fair(self) -> bool:
        """Whether all that was given out is a fair sample."""
        return self.given >= self.fair_from

    def taken(self) -> SampleIndices:
        """The samples to be given out next."""
        if self.lost:
            return self.lost.popleft()
        rows = self.left.popleft()
        self.given += len(rows)
        return rows


def shard_size(planned: PlannedCell, workers: int) -> int:
    """How many samples of a cell are worked off together."""
    if workers == 1 or planned.per_shard_randomness:
        return planned.shard_size
    return min(planned.shard_size, max(MIN_SHARD_SIZE, planned.cell.samples // (SHARDS_PER_WORKER * workers)))


class StoreWriter:
    """Begins, keeps and ends what is found; each of these returns at once, and its future says when it is done."""

    def __init__(
        self,
        plan: Plan,
        store: Store,
        report: Callable[[Progress], None],
        thread: Executor,
        workers: int,
        drawn: bool,
    ) -> None:
        self.store, self.report, self.thread, self.workers, self.drawn = store, report, thread, workers, drawn
        self.samples = {planned.cell.id: planned.cell.samples for planned in plan.cells}
        self.clean: dict[str, npt.NDArray[np.int32]] = {}
        """Predictions of finished clean cells."""

    def begin(self, planned: PlannedCell) -> Future[OpenCell]:
        """Look up what the store holds of a cell."""
        return self.thread.submit(self._begin, planned)

    def keep(self, cell: OpenCell, event: TaskFinished) -> Future[None]:
        """Store a shard."""
        return self.thread.submit(self._keep, cell, event)

    def end(self, cell: OpenCell) -> Future[None]:
        """Unite the shards of a cell for which no more will be done."""
        return self.thread.submit(self._end, cell)

    def _begin(self, planned: PlannedCell) -> OpenCell:
        cell = planned.cell
        self.store.write_cell(cell)
        found, files = self.store.load_for_resume(cell.id, ["correct"])
        rows, correct = as_numpy(found["index"]), int(pc.sum(found["correct"]).as_py() or 0)
        drawn = self.drawn and not planned.per_shard_randomness
        prefix = UnbiasedPrefix(cell.samples) if drawn else None
        if prefix is not None:
            prefix.add(rows, as_numpy(found["correct"]))
        opened = OpenCell(
            planned=planned,
            known=self._known(planned),
            left=deque(shards_of(cell.samples, rows, shard_size(planned, self.workers), drawn=drawn)),
            fair_from=fair_from(rows, cell.samples) if drawn else cell.samples,
            given=len(rows),
            stored=(len(rows), correct),
            prefix=prefix,
            files=files,
            has_gallery=self.store.has_picture(cell.id),
        )
        self._tell(opened, len(rows), resumed=True)
        return opened

    def _keep(self, cell: OpenCell, event: TaskFinished) -> None:
        done, of = event.found(), cell.planned.cell
        if done.picture is not None:
            self.store.write_picture(of.id, done.picture)
            cell.has_gallery = True
        self.store.write_shard(of.id, done.outcomes)
        samples, right = done.outcomes.num_rows, as_numpy(done.outcomes["correct"])
        cell.files += 1
        cell.seconds += done.seconds
        cell.stored = cell.stored[0] + samples, cell.stored[1] + int(right.sum())
        if cell.prefix is not None:
            cell.prefix.add(as_numpy(done.outcomes["index"]), right)
        self._tell(cell, samples)

    def _end(self, cell: OpenCell) -> None:
        if cell.files > 1:
            self.store.compact(cell.planned.cell.id)
        self._tell(cell, 0, ended=True)

    def _tell(self, cell: OpenCell, samples: int, *, resumed: bool = False, ended: bool = False) -> None:
        drawn = None if cell.prefix is None else cell.prefix.counts
        self.report(Progress(cell.planned.cell, samples, *cell.stored, resumed, cell.seconds, ended, drawn))

    def _known(self, planned: PlannedCell) -> npt.NDArray[np.int32] | None:
        """The clean predictions of a cell's samples; -1 of those whose clean image nobody has."""
        if planned.cell.perturbation == CLEAN:
            return None
        if planned.clean is None:
            return np.full(planned.cell.samples, -1, np.int32)
        if planned.clean not in self.clean:
            found = self.store.outcomes(planned.clean, ["prediction"])
            if found.num_rows != self.samples[planned.clean]:
                raise StoreError(
                    f"{self.store.place} has lost clean outcomes during the run.",
                    "Repeat the same command: it computes them again.",
                )
            self.clean[planned.clean] = as_numpy(found["prediction"])
        clean, rows = self.clean[planned.clean], planned.clean_rows
        return clean if rows is None else np.where(rows < 0, np.int32(-1), clean[rows])
