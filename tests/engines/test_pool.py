"""The dispatch loop with scripted workers that die and are replaced late."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from robustbench_eff.core.errors import EvaluationError
from robustbench_eff.core.protocol import Protocol
from robustbench_eff.evaluation.engines import dispatch
from robustbench_eff.evaluation.engines.dispatch import MAX_DEATHS, WorkerLost
from robustbench_eff.evaluation.engines.pool import Advanced
from robustbench_eff.evaluation.engines.store_writer import TaskFinished
from robustbench_eff.evaluation.plan import Plan, PlannedCell, Task
from robustbench_eff.evaluation.shard_columns import ShardResult
from robustbench_eff.models.classifier import Provenance
from robustbench_eff.storage.outcomes import SCHEMA
from robustbench_eff.storage.store import Store
from robustbench_eff.storage.stored_cell import StoredCell
from running import AtOnce


def planned(
    index: int, model: str = "a", clean: PlannedCell | None = None, samples: int = 64, passes: int = 1
) -> PlannedCell:
    cell = StoredCell(
        model=model, model_source=model, model_digest=model, preprocessing="", benchmark="b",
        protocol=Protocol(split="p"), data="d", classes="", samples=samples,
        perturbation="none" if clean is None else f"fog{index}", kind="none" if clean is None else "corruption",
        uses=None, configuration={}, seed=None,
    ).identified()  # fmt: skip
    return PlannedCell(
        cell_index=index, cell=cell, provenance=Provenance(name=model, source=model, label_space="x"), num_classes=2,
        clean=None if clean is None else clean.cell.id, clean_rows=None, passes=passes, supports_early_stop=True,
        shard_size=8, first_shard=8 if passes == 1 else 1, per_shard_randomness=False, query_mode="",
    )  # fmt: skip


def result(task: Task) -> ShardResult:
    rows = len(task.rows)
    columns = {field.name: [0] * rows for field in SCHEMA} | {"index": task.rows.tolist()}
    columns |= {name: [[]] * rows for name in ("ranking", "votes")}
    columns |= {"sample_id": [str(row) for row in task.rows], "won_by": [""] * rows, "note": [""] * rows}
    columns |= {"flag": [""] * rows, "correct": [True] * rows}
    return ShardResult(
        pa.table({name: pa.array(columns[name]).cast(SCHEMA.field(name).type) for name in SCHEMA.names}), None, 1
    )


class Workers:
    """A pool of scripted workers.

    `script` tells for the tasks in order whether their worker dies. Workers also die of the perturbation `deadly`, and
    `stillborn` workers die before their first task.
    """

    def __init__(self, size: int, script: Sequence[bool] = (), deadly: str = "", stillborn: int = 0) -> None:
        self.size, self.script, self.deadly, self.stillborn = size, list(script), deadly, stillborn
        self.queues: dict[int, list[Task]] = {worker: [] for worker in range(size)}
        self.joining: list[int] = []
        self.loads = dict.fromkeys(range(size), "")
        self.loaded = 0
        self.done: list[list[int]] = []
        self.passes: int | None = 1
        """Of every sample; None if they are not counted."""

    def free(self) -> Sequence[int]:
        able = [worker for worker, tasks in self.queues.items() if len(tasks) < 2]
        return sorted(able, key=lambda worker: len(self.queues[worker]))

    def give(self, worker: int, task: Task) -> None:
        self.queues[worker].append(task)

    def wait(self, seconds: float | None, advanced: Advanced) -> Sequence[TaskFinished | WorkerLost]:
        if self.stillborn:
            self.stillborn -= 1
            return [WorkerLost(1000 + self.stillborn, [], "its node left")]
        for worker, tasks in list(self.queues.items()):
            if not tasks:
                continue
            self.queues[worker] = self.queues.pop(worker)  # the workers take turns
            dies = self.script.pop(0) if self.script else tasks[0].cell.perturbation == self.deadly
            if dies:
                del self.queues[worker]
                self.joining.append(worker + 100)
                return [WorkerLost(worker, tasks, "no reason")]
            if self.loads.get(worker) != tasks[0].cell.model_digest:
                self.loads[worker], self.loaded = tasks[0].cell.model_digest, self.loaded + 1
            task = tasks.pop(0)
            self.done.append(task.rows.tolist())
            return [TaskFinished(task, partial(result, task), self.passes and self.passes * len(task.rows))]
        if self.joining:
            self.queues[self.joining.pop()] = []
        return []


def run(tmp_path: Path, cells: list[PlannedCell], workers: Workers) -> dict[str, int]:
    store = Store(tmp_path / "store")
    with store.lock():
        dispatch.run(Plan(cells=cells, missing=[], hardware={}), workers, store, lambda progress: None)
    return {cell.perturbation: store.outcomes(cell_id).num_rows for cell_id, cell in store.cells().items()}


@pytest.mark.parametrize("size", [1, 3])
def test_a_run_waits_for_the_worker_that_replaces_the_last_one(tmp_path: Path, size: int) -> None:
    clean = planned(0)
    script = [False] * 3 + [True] * size
    assert run(tmp_path, [clean, planned(1, clean=clean)], Workers(size, script)) == {"none": 64, "fog1": 64}


def test_workers_that_die_while_they_start_do_not_stop_the_others(tmp_path: Path) -> None:
    clean = planned(0)
    workers = Workers(1, stillborn=3 * MAX_DEATHS)
    assert run(tmp_path, [clean, planned(1, clean=clean)], workers) == {"none": 64, "fog1": 64}


def test_samples_that_kill_their_workers_end_the_run(tmp_path: Path) -> None:
    clean = planned(0, samples=4000)
    workers = Workers(2, deadly="fog1")
    with pytest.raises(EvaluationError, match=rf"{MAX_DEATHS} workers died on the same samples, fog1 on a: no reason"):
        run(tmp_path, [clean, planned(1, clean=clean), planned(2, clean=clean, samples=4000)], workers)
    assert len(workers.joining) + 2 <= 2 * MAX_DEATHS + 2


@pytest.mark.parametrize(("size", "models"), [(1, 6), (4, 12)])
def test_every_worker_keeps_its_model(tmp_path: Path, size: int, models: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "ThreadPoolExecutor", AtOnce)  # independent of how long the store takes
    cells = []
    for model in range(models):
        clean = planned(len(cells), f"m{model}")
        cells += [clean, *(planned(len(cells) + more, f"m{model}", clean) for more in (1, 2, 3))]
    workers = Workers(size)
    run(tmp_path, cells, workers)
    assert workers.loaded <= 2 * models, "each model once, and sometimes again by a worker that helps at the end"


@pytest.mark.parametrize(
    ("passes", "sizes"),
    [
        (100, [1] * 32),  # as many as there may be
        (1, [1, 1, 2, 4, 8, 8, 8]),
        (25, [1, 1, 2, *[4] * 7]),
        (None, [1] * 32),
    ],
)
def test_shards_grow_as_far_as_the_passes_of_finished_ones_permit(
    tmp_path: Path, passes: int | None, sizes: list[int]
) -> None:
    workers = Workers(1)
    workers.passes = passes
    run(tmp_path, [planned(0, samples=32, passes=100)], workers)
    assert [len(rows) for rows in workers.done] == sizes
    assert sorted(row for rows in workers.done for row in rows) == list(range(32))
    assert all(rows == sorted(rows) for rows in workers.done)


@pytest.mark.parametrize("drawn", [False, True])
@pytest.mark.parametrize("stored", [[], [0, 1, 2, 3], [2, 3, 4, 8, 9], [9, 1, 5], range(10)])
def test_shards_cover_exactly_what_is_left(tmp_path: Path, stored: Sequence[int], drawn: bool) -> None:
    cell, store, workers = planned(0, samples=10), Store(tmp_path / "store"), Workers(1)
    with store.lock():
        store.write_cell(cell.cell)
        if stored:
            store.write_shard(cell.cell.id, result(Task(0, cell.cell, np.array(sorted(stored)), None, True)).outcomes)
        plan = Plan(cells=[cell], missing=[], hardware={})
        dispatch.run(plan, workers, store, lambda progress: None, drawn=drawn)
    left = [row for row in range(10) if row not in stored]
    assert sorted(row for rows in workers.done for row in rows) == left
    assert [len(rows) for rows in workers.done] == ([8] if len(left) > 8 else []) + [len(left) % 8] * (
        len(left) % 8 > 0
    )
