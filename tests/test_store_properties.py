"""Random histories of a store, compared with a model of it: a set of samples for each cell.

Writes, unions, kills within them, power cuts, bit rot, copies, a second writer without a lock, lost leases and resumed
runs: every sample that was stored stays stored, once, with its own outcome.
"""

from __future__ import annotations

import contextlib
import random
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import power_cuts
from file_operations import Operation, watched
from outcome_tables import cell, table
from power_cuts import Disk
from robustbench_eff.core.errors import RobustEvalWarning, StoreError
from robustbench_eff.storage import lease
from robustbench_eff.storage.outcomes import as_numpy
from robustbench_eff.storage.remote_files import Files
from robustbench_eff.storage.store import Store

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the recorder reads /proc")
SAMPLES = 10
CELLS = {planned.id: planned for planned in (cell(SAMPLES, name).identified() for name in ("none", "fgsm"))}
CELL_IDS = st.sampled_from(sorted(CELLS))
ROWS = st.sets(st.integers(0, SAMPLES - 1), min_size=1).map(sorted)


class Killed(BaseException):
    """In place of SIGKILL: nothing may catch it."""


class StoreHistory(RuleBasedStateMachine):
    """A store in a folder or in an object store, and the samples that must and may be in it."""

    in_memory = False

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.numbers = count()
        self.disk = Disk()
        self.place = self.new_place()
        self.stored: dict[str, set[int]] = {}
        """Samples whose write has returned."""
        self.tried: dict[str, set[int]] = {}
        """Samples whose write was killed; they are there or not."""

    def new_place(self) -> str:
        number = next(self.numbers)
        return f"memory://{self.folder.name}-{number}" if self.in_memory else str(self.folder / str(number) / "store")

    def teardown(self) -> None:
        shutil.rmtree(self.folder)
        if self.in_memory:
            memory = fsspec.filesystem("memory")
            for path in memory.glob(f"/{self.folder.name}*"):
                memory.rm(path, recursive=True)

    def do(self, act: Callable[[Store], Any], before: Callable[[Operation], None] = lambda operation: None) -> Any:
        """Let a process do something to the store; `before` sees each operation on a file."""
        if self.in_memory:
            return act(Store(self.place))
        root = Path(self.place).parent
        root.mkdir(exist_ok=True)
        with watched(root, before=before, after=self.disk.apply):
            return act(Store(self.place))

    def write(self, store: Store, cell_id: str, rows: list[int]) -> None:
        """What a run does: the record first, then the outcomes, which belong to the sample and the cell."""
        self.tried.setdefault(cell_id, set()).update(rows)
        store.write_cell(CELLS[cell_id])
        store.write_shard(cell_id, outcomes(cell_id, rows))
        self.stored.setdefault(cell_id, set()).update(rows)

    @initialize()
    def create(self) -> None:
        def open_and_close(store: Store) -> None:
            with store.lock():
                pass

        self.do(open_and_close)

    @rule(cell_id=CELL_IDS, rows=ROWS)
    def store_samples(self, cell_id: str, rows: list[int]) -> None:
        def act(store: Store) -> None:
            with store.lock():
                self.write(store, cell_id, rows)

        self.do(act)

    @rule(cell_id=CELL_IDS)
    def unite(self, cell_id: str) -> None:
        self.do(lambda store: store.compact(cell_id))

    @rule(cell_id=CELL_IDS)
    def resume(self, cell_id: str) -> None:
        """A run that computes what it does not find."""

        def act(store: Store) -> None:
            with store.lock():
                found, _ = store.load_for_resume(cell_id, ["prediction"])
                left = np.setdiff1d(np.arange(SAMPLES), as_numpy(found["index"])).tolist()
                if left:
                    self.write(store, cell_id, left)
                store.compact(cell_id)

        self.do(act)
        assert self.do(lambda store: store.outcomes(cell_id)).num_rows == SAMPLES

    @precondition(lambda self: not self.in_memory)
    @rule(cell_id=CELL_IDS, rows=ROWS, unites=st.booleans(), operation=st.integers(0, 9))
    def kill(self, cell_id: str, rows: list[int], unites: bool, operation: int) -> None:
        """Kill the process before one of its operations; the machine runs on, and writes what the process did."""
        left = [operation]

        def before(_: Operation) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise Killed

        def act(store: Store) -> None:
            if unites:
                store.compact(cell_id)
            else:
                self.write(store, cell_id, rows)

        with contextlib.suppress(Killed):
            self.do(act, before)
        self.disk.settle()

    @precondition(lambda self: not self.in_memory)
    @rule(seed=st.integers(0, 2**20))
    def cut_the_power(self, seed: int) -> None:
        state = self.disk.after_power_cut(random.Random(seed))
        self.place = self.new_place()
        power_cuts.write(state, Path(self.place).parent)
        self.disk = Disk.of(state)

    @precondition(lambda self: self.stored)
    @rule(data=st.data())
    def rot_and_resume(self, data: st.DataObject) -> None:
        """Change a byte of a shard. The samples are left out with a warning, and computed again."""
        cell_id = data.draw(st.sampled_from(sorted(self.stored)))
        files = Files.at(self.place)
        name = data.draw(st.sampled_from(files.matching(f"cells/{cell_id}/*.parquet")))
        content = bytearray(files.read(name))
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1
        self.do(lambda store: files.write(name, bytes(content)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RobustEvalWarning)
            self.resume(cell_id)

    @rule(moves=st.booleans())
    def copy(self, moves: bool) -> None:
        """Go on with a copy, or with the same store in another place."""
        before, after = Files.at(self.place), Files.at(self.new_place())
        state: dict[str, bytes | None] = {}
        for path in before.fs.find(before.root):
            name = str(path).removeprefix(f"{before.root}/")
            state[f"store/{name}"] = before.read(name)
        if self.in_memory:
            for name, content in state.items():
                after.write(name.removeprefix("store/"), content or b"")
        else:
            for name in [*state]:
                state |= {above.as_posix(): None for above in [*Path(name).parents][:-1]}
            power_cuts.write(dict(sorted(state.items())), Path(after.place).parent)
            self.disk = Disk.of(state)
        if moves:
            before.fs.rm(before.root, recursive=True)
        self.place = after.place

    @rule(cell_id=CELL_IDS, rows=ROWS, instant=st.integers(0, 6))
    def write_twice_at_once(self, cell_id: str, rows: list[int], instant: int) -> None:
        """A second writer, which also took the lease, stores and unites while the first one unites."""
        calls, other = count(), Store(self.place)
        names = ("read_all", "write", "remove", "matching")

        def disturbed(real: Callable[..., Any]) -> Callable[..., Any]:
            def call(*arguments: Any) -> Any:
                if next(calls) == instant:
                    undo()
                    self.write(other, cell_id, rows)
                    other.compact(cell_id)
                return real(*arguments)

            return call

        patch = pytest.MonkeyPatch()
        undo = patch.undo
        for name in names:
            patch.setattr(Files, name, disturbed(getattr(Files, name)))
        try:
            self.do(lambda store: store.compact(cell_id))
        finally:
            patch.undo()

    @precondition(lambda self: self.in_memory)
    @rule(cell_id=CELL_IDS, rows=ROWS, is_gone=st.booleans())
    def lose_the_lease(self, cell_id: str, rows: list[int], is_gone: bool) -> None:
        """The lease is removed, or is another writer's, while a run writes: that one's is left alone."""
        files = Files.at(self.place)
        with Store(self.place).lock():
            mine = files.read(lease.NAME)
            files.remove(lease.NAME)
            if not is_gone:
                files.write(lease.NAME, mine.replace(b'"token": "', b'"token": "other'))
            with contextlib.suppress(StoreError):  # a writer may notice it
                self.write(Store(self.place), cell_id, rows)
        assert files.exists(lease.NAME) != is_gone
        if not is_gone:
            files.remove(lease.NAME)

    @invariant()
    def every_sample_is_there_once_with_its_own_outcome(self) -> None:
        store = Store(self.place)
        assert {*self.stored} <= {*store.cells()} <= {*CELLS}
        for cell_id in CELLS:
            found = store.outcomes(cell_id)
            index = as_numpy(found["index"]).tolist()
            assert index == sorted({*index})
            assert self.stored.get(cell_id, set()) <= {*index}
            assert {*index} <= self.stored.get(cell_id, set()) | self.tried.get(cell_id, set())
            assert found.equals(outcomes(cell_id, index))


class ObjectStoreHistory(StoreHistory):
    """The same in an object store."""

    in_memory = True


def outcomes(cell_id: str, rows: list[int]) -> Any:
    """The outcomes of these samples, which any process computes alike."""
    index = np.array(rows, np.int64)
    shift = sorted(CELLS).index(cell_id)
    return table(len(rows), index=index, sample_id=[f"s{row}" for row in rows], prediction=index * 2 + shift)


def check(machine: type[StoreHistory], examples: int, steps: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("machine", [StoreHistory, ObjectStoreHistory])
def test_short_histories(machine: type[StoreHistory]) -> None:
    check(machine, examples=8, steps=12)


@pytest.mark.slow
@pytest.mark.parametrize("machine", [StoreHistory, ObjectStoreHistory])
def test_long_histories(machine: type[StoreHistory]) -> None:
    check(machine, examples=150, steps=50)
