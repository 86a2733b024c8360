"""Odd files of images and labels: each is read, or refused in one sentence, within bounds of time and memory."""

from __future__ import annotations

import tarfile
import time
from pathlib import Path

import pytest

import strange_arrays
import strange_tables
import watchdog
from robustbench_eff.benchmarks.readers import tar_members
from robustbench_eff.core.errors import DataError
from strange_outcomes import faults

TABLES = (
    *((strange_arrays, name) for name in ("NUMPY", "CONTAINERS")),
    *((strange_tables, name) for name in ("CSV", "PARQUET", "TAR")),
)
SLOW = ("NUMPY", "CONTAINERS", "PARQUET", "TAR")
"""Tables of many files; `tests/fuzz` reads changed files of the same kinds."""


@pytest.mark.parametrize(
    ("module", "name"),
    [pytest.param(*row, id=row[1], marks=[pytest.mark.slow] * (row[1] in SLOW)) for row in TABLES],
)
def test_odd_files_end_in_their_sentence(module: object, name: str) -> None:
    assert faults(module.__name__, name, getattr(module, name)) == {}


def test_the_watchdog_sees_what_it_is_there_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "CPU_SECONDS", 1)

    def hoard() -> str:
        watchdog.limit_memory()
        return f"{len(bytearray(2 * watchdog.MEMORY_BYTES))}"

    def ask() -> str:
        raise KeyError("a")

    assert watchdog.outcome(lambda: "read") == "read"
    assert watchdog.outcome(hoard).startswith("foreign: MemoryError")
    assert watchdog.outcome(ask).startswith("foreign: KeyError")
    monkeypatch.setattr(watchdog, "SECONDS", 0.5)
    assert watchdog.outcome(lambda: str(time.sleep(60))) == "hung"


def test_a_tar_may_hold_so_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tarfile.open(tmp_path / "set.tar", "w") as archive:
        for number in range(4):
            archive.addfile(tarfile.TarInfo(f"a/{number}.png"))
    assert len(tar_members.members(tmp_path / "set.tar")) == 4
    monkeypatch.setattr(tar_members, "MAX_FILES", 3)
    with pytest.raises(DataError, match="more than 3 files"):
        tar_members.members(tmp_path / "set.tar")
