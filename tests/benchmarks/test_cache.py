"""Decoded once, known by content, limited openly."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from labelled_sets import (
    class_folders,
    npz,
    pixels,
    png,
    prepared,
)
from robustbench_eff.benchmarks.definitions.digits import DIGITS, open_digits
from robustbench_eff.benchmarks.image_cache import prepare
from robustbench_eff.core.errors import RobustEvalWarning, StoreError
from robustbench_eff.core.preprocessing import Geometry


def test_two_files_of_one_name_size_and_time_are_two_sets(tmp_path: Path) -> None:
    for number, name in enumerate(("clean", "fog")):
        (tmp_path / name).mkdir()
        np.savez(tmp_path / name / "x.npz", x=pixels(number)[None], y=[0])
        os.utime(tmp_path / name / "x.npz", (1, 1))
    clean, fog = prepared(tmp_path / "clean" / "x.npz"), prepared(tmp_path / "fog" / "x.npz")
    assert clean.fingerprint != fog.fingerprint
    assert np.array_equal(fog.pixels[[0]][0], pixels(1))


def test_a_cache_that_cannot_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ROBUST_EVAL_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(StoreError, match="Cannot write to"):
        prepared(npz(tmp_path / "set"))


def test_a_full_disk_under_the_cache_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(StoreError, match="is full"):
        prepared(npz(tmp_path / "set"))


def test_a_limit_takes_the_first_samples_and_says_so(tmp_path: Path) -> None:
    found = prepared(npz(tmp_path / "set"), limit=4)
    assert found.labels.tolist() == [0, 1, 2, 0]
    assert str(found.protocol) == "local files, first 4 of 6 images, labels as numbers, 8×8 as it is"


def test_a_limit_on_a_sorted_set_is_said(tmp_path: Path) -> None:
    x, y = np.zeros((60, 8, 8, 3), np.uint8), np.repeat(np.arange(10), 6)
    np.savez(tmp_path / "set.npz", x=x, y=y)
    with pytest.warns(RobustEvalWarning, match="first 12 samples hold 2 of 10 classes"):
        prepared(tmp_path / "set.npz", limit=12)


def test_the_second_time_nothing_is_decoded(tmp_path: Path) -> None:
    folder = class_folders(tmp_path, ["0", "1"])
    calls: list[int] = []
    first = prepared(folder, progress=lambda _, done, total: calls.append(done))
    again = prepared(folder, progress=lambda _, done, total: calls.append(done))
    assert calls == [1, 2]
    assert again.fingerprint == first.fingerprint


def test_the_fingerprint_is_of_the_content(tmp_path: Path) -> None:
    first = prepared(class_folders(tmp_path / "a", ["0", "1"]))
    copy = prepared(class_folders(tmp_path / "b", ["0", "1"]))
    assert copy.fingerprint == first.fingerprint
    (tmp_path / "b" / "0" / "0.png").write_bytes(png(9))
    changed = prepared(tmp_path / "b")
    assert changed.fingerprint != first.fingerprint
    assert np.array_equal(changed.pixels[[0]][0], pixels(9))


def test_digits_has_a_fixed_split() -> None:
    splits = {name: open_digits(name) for name in ("train", "validation", "test")}
    assert {name: len(split) for name, split in splits.items()} == {"train": 1078, "validation": 359, "test": 360}
    ids = [sample for split in splits.values() for sample in split.ids]
    assert len(set(ids)) == 1797
    assert splits["test"].ids[:3] == ["digits/0000", "digits/0007", "digits/0008"]
    found = prepare(DIGITS, splits["test"], Geometry(size=32, mode="none"))
    assert found.pixels.shape == (360, 32, 32, 3)
    assert found.fingerprint == prepare(DIGITS, open_digits(), Geometry(size=32, mode="none")).fingerprint
