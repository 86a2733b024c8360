"""A power cut at any instant leaves a store whose numbers are right, and which a repeated command completes."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import power_cuts
from file_operations import Operation, recorded
from outcome_tables import cell, table
from robustbench_eff.core.disk import atomic_write
from robustbench_eff.storage.answers import Answers
from robustbench_eff.storage.outcomes import as_numpy
from robustbench_eff.storage.store import Store

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the recorder reads /proc")
SAMPLES, SHARDS = 8, 2
MODELS = (3, 5)
"""Two models with equal digests; each predicts its own number for every image."""


def evaluate(place: Path, models: tuple[int, ...] = MODELS) -> dict[int, str]:
    """Do to a store what a run does, with what it holds already; return the cells by model."""
    store, cells = Store(place), {}
    with store.lock():
        for model in models:
            answers = Answers(logits={"noise": np.eye(8, dtype=np.float32)[[model]]}, tolerance=1e-3)
            variant = store.variant("digest", "as it is", answers)
            cells[model] = planned = cell(SAMPLES, model_digest=f"digest-{variant}").identified().id
            store.write_cell(cell(SAMPLES, model_digest=f"digest-{variant}", id=planned))
            stored, files = store.load_for_resume(planned, ["prediction"])
            rows = np.setdiff1d(np.arange(SAMPLES), as_numpy(stored["index"]))
            for part in np.array_split(rows, SHARDS) if len(rows) else ():
                outcomes = table(len(part), index=part, prediction=np.full(len(part), model))
                store.write_shard(planned, outcomes)
                files += 1
            if files > 1:
                store.compact(planned)
            store.write_run(f"run-{model}", {"cells": [planned], "status": "finished"})
    return cells


@pytest.fixture(scope="module")
def operations(tmp_path_factory: pytest.TempPathFactory) -> list[Operation]:
    folder = tmp_path_factory.mktemp("recorded")
    with recorded(folder) as operations:
        evaluate(folder / "store")
    return operations


def test_no_power_cut_changes_a_number(operations: list[Operation], tmp_path: Path) -> None:
    """The next run begins with the other model, whose answers must not be taken for those of the first."""
    count = 0
    for count, state in enumerate(power_cuts.states(operations, seed=0), 1):
        place = tmp_path / str(count) / "store"
        power_cuts.write(state, place.parent)
        for cell_id in Store(place).cells():
            assert len(np.unique(as_numpy(Store(place).outcomes(cell_id)["prediction"]))) <= 1
        cells = evaluate(place, MODELS[::-1])
        assert len({*cells.values()}) == 2
        for model, cell_id in cells.items():
            outcomes = Store(place).outcomes(cell_id)
            assert as_numpy(outcomes["index"]).tolist() == list(range(SAMPLES))
            assert np.unique(as_numpy(outcomes["prediction"])).tolist() == [model]
    assert count > 40, "the draws are too few to mean anything"


def test_shards_are_removed_only_after_their_union_is_on_the_disk(operations: list[Operation], tmp_path: Path) -> None:
    """With every name that is not synchronized lost, and every removal done, all samples are there."""
    count = 0
    for count, state in enumerate(power_cuts.states(operations, seed=1, draws=4), 1):
        place = tmp_path / str(count) / "store"
        power_cuts.write(state, place.parent)
        stored = Store(place)
        runs = [run for run in stored.runs() if run["status"] == "finished"]
        for cell_id in (cell_id for run in runs for cell_id in run["cells"]):
            assert stored.outcomes(cell_id).num_rows == SAMPLES, "a finished cell has lost samples"
    assert count > 40


def test_the_states_contain_lost_names_and_torn_files(tmp_path: Path) -> None:
    """The recorder and the draws find the fault of files that are not synchronized."""
    with recorded(tmp_path) as operations:
        atomic_write(tmp_path / "unsynced", b"12345678")
    contents = {state.get("unsynced") for state in power_cuts.states(operations, seed=0, draws=200)}
    assert contents == {None, b"", b"1234", bytes(8), b"12345678"}
    with recorded(tmp_path) as operations:
        atomic_write(tmp_path / "deep" / "er" / "synced", b"12345678", synced=True)
        atomic_write(tmp_path / "unsynced", b"")
    *_, after = power_cuts.states(operations, seed=0)
    assert after["deep/er/synced"] == b"12345678"


def test_what_a_cell_costs(tmp_path: Path) -> None:
    """Each file is synchronized, and each folder once per file; the first file of a folder adds the folder above."""
    store = Store(tmp_path / "store")
    with recorded(tmp_path) as operations, store.lock():
        store.write_cell(cell(SAMPLES, id="abc"))
        operations.clear()
        for part in np.array_split(np.arange(SAMPLES), SHARDS):
            store.write_shard("abc", table(len(part), index=part))
        store.compact("abc")
    counts = Counter(operation.kind for operation in operations)
    assert counts["sync"] == counts["sync folder"] == counts["rename"] == SHARDS + 1
    assert counts["remove"] == SHARDS
