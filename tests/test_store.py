"""The store: whole shards or none, found again by content, one writer at a time."""

from __future__ import annotations

import errno
import json
import os
import warnings
from pathlib import Path

import pyarrow as pa
import pytest
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem

from outcome_tables import cell
from robustbench_eff.core.errors import RobustEvalWarning, StoreError, UsageError
from robustbench_eff.storage import cell_records
from robustbench_eff.storage.outcomes import SCHEMA
from robustbench_eff.storage.remote_files import Files
from robustbench_eff.storage.store import Store
from running import run


def outcomes(start: int, stop: int) -> pa.Table:
    columns = {field.name: [0] * (stop - start) for field in SCHEMA}
    columns |= {"index": list(range(start, stop)), "flag": [""] * (stop - start)}
    columns |= {name: [[]] * (stop - start) for name in ("ranking", "votes")}
    columns |= {"sample_id": [str(row) for row in range(start, stop)]}
    return pa.table({name: pa.array(values).cast(SCHEMA.field(name).type) for name, values in columns.items()})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "store")
    with store.lock():
        store.write_cell(cell(8, id="abc"))
        store.write_shard("abc", outcomes(4, 8))
        store.write_shard("abc", outcomes(0, 4))
    return store


def test_shards_come_back_in_benchmark_order(store: Store) -> None:
    assert store.outcomes("abc")["index"].to_pylist() == list(range(8))
    assert store.outcomes("abc").schema.equals(SCHEMA)
    assert store.cells() == {"abc": cell(8, id="abc")}


def test_shards_are_united_into_one_file_with_the_same_rows(store: Store) -> None:
    before = store.outcomes("abc")
    with store.lock():
        store.compact("abc")
        (path,) = Path(store.place).glob("cells/abc/*.parquet")
        store.compact("abc")
    assert path.exists()
    assert path.name.startswith("00000000-00000008.")
    assert store.outcomes("abc").equals(before)


def test_a_unite_killed_before_its_end_counts_no_sample_twice(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    before = store.outcomes("abc")

    def killed(files: Files, name: str) -> None:
        raise KeyboardInterrupt

    with store.lock():
        monkeypatch.setattr(Files, "remove", killed)
        with pytest.raises(KeyboardInterrupt):
            store.compact("abc")
        monkeypatch.undo()
        assert len(list(Path(store.place).glob("cells/abc/*.parquet"))) == 3
        assert store.outcomes("abc").equals(before)
        store.compact("abc")
    assert len(list(Path(store.place).glob("cells/abc/*.parquet"))) == 1
    assert store.outcomes("abc").equals(before)


def test_a_reader_finds_all_rows_while_another_process_unites_them(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader has listed the shards when they become one file."""
    before, read = store.outcomes("abc"), Files.read

    def late(files: Files, name: str) -> bytes:
        monkeypatch.undo()
        with store.lock():
            store.compact("abc")
        return read(files, name)

    monkeypatch.setattr(Files, "read", late)
    assert store.outcomes("abc").equals(before)


def test_two_processes_may_unite_at_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each removes what the other is about to read or to remove."""
    before, read, remove = store.outcomes("abc"), Files.read, Files.remove

    def late_reader(files: Files, name: str) -> bytes:
        monkeypatch.setattr(Files, "read", read)
        Store(store.place).compact("abc")
        store.write_shard("abc", before.slice(0, 4))
        return read(files, name)

    def late_remover(files: Files, name: str) -> None:
        remove(files, name)
        remove(files, name)

    monkeypatch.setattr(Files, "read", late_reader)
    monkeypatch.setattr(Files, "remove", late_remover)
    with store.lock():
        store.compact("abc")
        assert store.load_for_resume("abc", ["correct"])[0].num_rows == 8
    assert store.outcomes("abc").equals(before)


def test_a_file_system_with_folders_gets_them(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    files = Files("sftp://host/there", DirFileSystem(str(tmp_path), LocalFileSystem()), "there")
    files.write("cells/abc/cell.json", b"{}")
    assert files.read("cells/abc/cell.json") == b"{}"


def test_shards_of_scattered_samples_come_back_in_order_and_once(tmp_path: Path) -> None:
    store, all_rows = Store(tmp_path / "store"), outcomes(0, 8)
    with store.lock():
        store.write_cell(cell(8, id="abc"))
        name = store.write_shard("abc", all_rows.take([1, 4, 7]))
        assert name.startswith("cells/abc/00000001-00000008x3.")
        store.write_shard("abc", all_rows.take([0, 5]))
        assert store.outcomes("abc")["index"].to_pylist() == [0, 1, 4, 5, 7]
        store.write_shard("abc", all_rows.slice(2, 6))  # of which three are there already
        assert store.outcomes("abc").to_pylist() == all_rows.to_pylist()
        store.compact("abc")
    assert [path.name.partition(".")[0] for path in tmp_path.glob("store/cells/abc/*.parquet")] == ["00000000-00000008"]
    assert store.outcomes("abc").to_pylist() == all_rows.to_pylist()


def test_cells_come_in_the_order_in_which_runs_planned_them(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    with store.lock():
        for cell_id in ("b", "a", "d", "c"):
            store.write_cell(cell(8, id=cell_id))
        store.write_run("2-x", {"cells": ["c", "d"]})
        store.write_run("1-x", {"cells": ["d", "b", "gone"]})
    assert list(store.cells()) == ["d", "b", "c", "a"]


def test_a_corrupt_shard_keeps_shards_from_being_united(store: Store) -> None:
    path = sorted(Path(store.place).glob("cells/abc/*.parquet"))[0]
    path.write_bytes(path.read_bytes()[:-1])
    with store.lock(), pytest.warns(RobustEvalWarning, match="is corrupt"):
        store.compact("abc")
    assert len(list(Path(store.place).glob("cells/abc/*.parquet"))) == 2


def test_some_columns_of_the_outcomes_are_read_alone(store: Store) -> None:
    assert store.outcomes("abc", ("flag", "label")).column_names == ["index", "flag", "label"]
    assert store.outcomes("empty", ("flag",)).num_rows == 0


def test_no_temporary_file_stays(store: Store) -> None:
    assert not [path for path in Path(store.place).rglob("*") if ".part" in path.name]


def test_a_corrupt_shard_is_never_read_and_said(store: Store) -> None:
    path = sorted(Path(store.place).glob("cells/abc/*.parquet"))[1]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.warns(RobustEvalWarning, match="is corrupt: samples 4 to 8 are left out"):
        assert store.outcomes("abc").num_rows == 4
    assert path.exists(), "reading changes nothing"
    with store.lock(), pytest.warns(RobustEvalWarning, match="set aside, and samples 4 to 8 are computed again"):
        assert store.load_for_resume("abc", ["correct"])[0]["index"].to_pylist() == [0, 1, 2, 3]
    assert not path.exists()
    assert list(Path(store.place).glob(f"set-aside/cells/abc/{path.name}.*"))
    assert store.outcomes("abc").num_rows == 4


def test_equal_records_of_two_killed_runs_are_two_runs(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.lock():
        for run_id in ("1-x", "2-x"):
            store.write_run(run_id, {"command": ["robust-eval"], "cells": ["a"], "status": "started"})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(store.runs()) == 2


def test_what_a_killed_run_left_is_removed(store: Store) -> None:
    left = Path(store.place) / "cells" / "abc" / ".00000008-00000012.0123456789abcdef.parquet.abcd.part"
    left.write_bytes(b"half")
    assert store.outcomes("abc").num_rows == 8
    with store.lock():
        assert store.load_for_resume("abc", ["correct"])[0].column_names == ["index", "correct"]
    assert not left.exists()


def test_a_second_writer_is_refused_at_once(store: Store) -> None:
    with (
        store.lock(),
        pytest.raises(StoreError, match="Another process is writing"),
        Store(Path(store.place)).lock(),
    ):
        pass


def test_a_full_disk_is_said_and_leaves_nothing_half_written(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with store.lock(), pytest.raises(StoreError, match=r"disk of .* is full.*safe.\nFree some space"):
        store.write_shard("abc", outcomes(8, 12))
    assert store.outcomes("abc").num_rows == 8
    assert not [path for path in Path(store.place).rglob("*") if ".part" in path.name]


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="Cannot write to"), Store(tmp_path / "file").lock():
        pass


def test_another_format_is_refused(store: Store) -> None:
    (Path(store.place) / "store.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(
        StoreError, match=r"store format 99; this version reads .* 4 to 7\.\nEvaluate into a new --store"
    ):
        Store.existing(Path(store.place))
    with pytest.raises(StoreError, match="store format 99"), store.lock():
        pass


def test_reading_what_is_no_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a store"):
        Store.existing(tmp_path)


@pytest.mark.parametrize("attacks", [["fgsm(eps=4/255)"], ["fgsm(eps=4/255)", "fgsm(eps=8/255)"]], ids=["same", "more"])
def test_a_run_reads_the_records_of_cells_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attacks) -> None:
    run(tmp_path / "store", limit=8, attacks=["fgsm(eps=4/255)"])
    read = cell_records.read_records
    readings = []
    monkeypatch.setattr(cell_records, "read_records", lambda *given: readings.append(0) or read(*given))
    again = run(tmp_path / "store", limit=8, attacks=attacks)
    assert len(readings) == 1
    assert len(again.scores) > len(attacks), "the cells of this run are among those that are known"
    store = Store(tmp_path / "store")
    assert len(store.cells()) == len(store.cells()) == 1 + len(attacks)
    assert len(readings) == 3, "outside of a run nothing is remembered"
