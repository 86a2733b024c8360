"""Odd files of images and labels: each is read, or refused in one sentence, within bounds of time and memory."""

from __future__ import annotations

import time

import pytest

import strange_arrays
import strange_tables
import watchdog
from strange_outcomes import faults

TABLES = (
    *((strange_arrays, name) for name in ("NUMPY", "CONTAINERS")),
    *((strange_tables, name) for name in ("CSV", "PARQUET", "TAR")),
)


@pytest.mark.parametrize(("module", "name"), TABLES, ids=[name for _, name in TABLES])
def test_odd_files_end_in_their_sentence(module: object, name: str) -> None:
    assert faults(module.__name__, name, getattr(module, name)) == {}


def test_the_watchdog_sees_what_it_is_there_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "SECONDS", 0.5)
    monkeypatch.setattr(watchdog, "CPU_SECONDS", 1)

    def hoard() -> str:
        watchdog.limit_memory()
        return f"{len(bytearray(watchdog.MEMORY_BYTES))}"

    def ask() -> str:
        raise KeyError("a")

    assert watchdog.outcome(lambda: "read") == "read"
    assert watchdog.outcome(lambda: str(time.sleep(60))) == "hung"
    assert watchdog.outcome(hoard).startswith("foreign: MemoryError")
    assert watchdog.outcome(ask).startswith("foreign: KeyError")
