"""The store: whole shards or none, found again by content, one writer at a time."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pyarrow as pa
import pytest

from robustbench_eff.errors import RobustEvalWarning, StoreError, UsageError
from robustbench_eff.outcomes import SCHEMA
from robustbench_eff.plan import Shard, shards_of
from robustbench_eff.store import Store


def outcomes(start: int, stop: int) -> pa.Table:
    columns = {field.name: [0] * (stop - start) for field in SCHEMA}
    columns |= {"index": list(range(start, stop)), "flag": [""] * (stop - start)}
    columns |= {"ranking": [[]] * (stop - start)}
    columns |= {"sample_id": [str(row) for row in range(start, stop)]}
    return pa.table({name: pa.array(values).cast(SCHEMA.field(name).type) for name, values in columns.items()})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "store")
    with store.lock():
        store.write_cell("abc", {"perturbation": "none"})
        store.write_shard("abc", 4, 8, outcomes(4, 8))
        store.write_shard("abc", 0, 4, outcomes(0, 4))
    return store


def test_shards_come_back_in_benchmark_order(store: Store) -> None:
    assert store.outcomes("abc")["index"].to_pylist() == list(range(8))
    assert store.outcomes("abc").schema.equals(SCHEMA)
    assert store.cells() == {"abc": {"perturbation": "none"}}


def test_shards_are_united_into_one_file_with_the_same_rows(store: Store) -> None:
    before = store.outcomes("abc")
    with store.lock():
        store.unite("abc")
        (path,) = store.folder.glob("cells/abc/*.parquet")
        store.unite("abc")
    assert path.exists()
    assert path.name.startswith("00000000-00000008.")
    assert store.shards("abc") == [(0, 8)]
    assert store.outcomes("abc").equals(before)


def test_a_unite_killed_before_its_end_counts_no_sample_twice(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    before = store.outcomes("abc")

    def killed(path: Path) -> None:
        raise KeyboardInterrupt

    with store.lock():
        monkeypatch.setattr(Path, "unlink", lambda path, **options: None if ".part" in path.name else killed(path))
        with pytest.raises(KeyboardInterrupt):
            store.unite("abc")
        monkeypatch.undo()
        assert len(list(store.folder.glob("cells/abc/*.parquet"))) == 3
        assert store.outcomes("abc").equals(before)
        assert store.shards("abc") == [(0, 8)]
        store.unite("abc")
    assert len(list(store.folder.glob("cells/abc/*.parquet"))) == 1
    assert store.outcomes("abc").equals(before)


def test_a_reader_finds_all_rows_while_another_process_unites_them(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader has listed the shards when they become one file."""
    before, read_bytes = store.outcomes("abc"), Path.read_bytes

    def late(path: Path) -> bytes:
        monkeypatch.undo()
        with store.lock():
            store.unite("abc")
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", late)
    assert store.outcomes("abc").equals(before)
    assert store.shards("abc") == [(0, 8)]


def test_a_corrupt_shard_keeps_shards_from_being_united(store: Store) -> None:
    path = sorted(store.folder.glob("cells/abc/*.parquet"))[0]
    path.write_bytes(path.read_bytes()[:-1])
    with store.lock(), pytest.warns(RobustEvalWarning, match="is corrupt"):
        store.unite("abc")
    assert len(list(store.folder.glob("cells/abc/*.parquet"))) == 2


def test_some_columns_of_the_outcomes_are_read_alone(store: Store) -> None:
    assert store.outcomes("abc", ("flag", "label")).column_names == ["index", "flag", "label"]
    assert store.outcomes("empty", ("flag",)).num_rows == 0


def test_no_temporary_file_stays(store: Store) -> None:
    assert not [path for path in store.folder.rglob("*") if ".part" in path.name]


def test_a_corrupt_shard_is_never_read_and_said(store: Store) -> None:
    path = sorted(store.folder.glob("cells/abc/*.parquet"))[1]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.warns(RobustEvalWarning, match="is corrupt: samples 4 to 8 are left out"):
        assert store.shards("abc") == [(0, 4)]
    with pytest.warns(RobustEvalWarning):
        assert store.outcomes("abc").num_rows == 4
    assert path.exists(), "reading changes nothing"
    with store.lock(), pytest.warns(RobustEvalWarning, match="set aside, and samples 4 to 8 are computed again"):
        store.tidy("abc")
    assert list(store.folder.rglob("*.corrupt-*"))
    assert store.shards("abc") == [(0, 4)]


def test_what_a_killed_run_left_is_removed(store: Store) -> None:
    left = store.folder / "cells" / "abc" / ".00000008-00000012.0123456789abcdef.parquet.abcd.part"
    left.write_bytes(b"half")
    assert store.outcomes("abc").num_rows == 8
    with store.lock():
        store.tidy("abc")
    assert not left.exists()


def test_a_second_writer_is_refused_at_once(store: Store) -> None:
    with (
        store.lock(),
        pytest.raises(StoreError, match="Another process is writing"),
        Store(store.folder).lock(),
    ):
        pass


def test_a_full_disk_is_said_and_leaves_nothing_half_written(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with store.lock(), pytest.raises(StoreError, match=r"disk of .* is full.*safe.\nMake room"):
        store.write_shard("abc", 8, 12, outcomes(8, 12))
    assert store.shards("abc") == [(0, 4), (4, 8)]
    assert not [path for path in store.folder.rglob("*") if ".part" in path.name]


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="Cannot write to"), Store(tmp_path / "file").lock():
        pass


def test_another_format_is_refused(store: Store) -> None:
    (store.folder / "store.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(StoreError, match=r"store format 99, this version has .*\nEvaluate into a new --store"):
        Store.existing(store.folder)
    with pytest.raises(StoreError, match="store format 99"), store.lock():
        pass


def test_reading_what_is_no_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a store"):
        Store.existing(tmp_path)


@pytest.mark.parametrize(
    ("done", "size", "expected"),
    [
        ([], 4, [(0, 4), (4, 8), (8, 10)]),
        ([(0, 4)], 4, [(4, 8), (8, 10)]),
        ([(2, 5), (8, 10)], 2, [(0, 2), (5, 7), (7, 8)]),
        ([(0, 10)], 3, []),
        ([(0, 6), (4, 8)], 100, [(8, 10)]),
    ],
)
def test_shards_cover_exactly_what_is_left(done, size: int, expected) -> None:
    assert list(shards_of(10, [Shard(*pair) for pair in done], size)) == [Shard(*pair) for pair in expected]
