"""Signals end a run as Ctrl-C does: what is finished is stored, the record says why, and the command goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from robustbench_eff.storage.store import Store
from running import assert_same, by_cell

COMMAND = [
    *(str(Path(sys.executable).with_name("robust-eval")), "--model", "digits_standard", "--limit", "64"),
    *("--shard-size", "8", "--attack", "fgsm(eps=8/255)", "--attack", "pgd(eps=8/255, steps=40)", "--quiet"),
]
SECONDS = 300
SLOW = pytest.mark.slow


def started(store: Path, *, ignored: bool = False) -> subprocess.Popen[str]:
    """The command, at work on its first attack."""
    ignore = (lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) if ignored else None
    process = subprocess.Popen(
        [*COMMAND, "--store", str(store)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=ignore
    )
    end = time.monotonic() + SECONDS
    while len(list(store.glob("cells/*/*.parquet"))) < 2:  # the clean cell, and a part of the first attack
        assert time.monotonic() < end
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.01)
    return process


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("undisturbed") / "store"
    subprocess.run([*COMMAND, "--store", str(store)], check=True, capture_output=True, timeout=SECONDS)
    return store


@pytest.mark.parametrize("name", ["SIGTERM", *(pytest.param(name, marks=SLOW) for name in ("SIGHUP", "SIGINT"))])
def test_a_stopped_run_says_by_what_and_goes_on(name: str, undisturbed: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    process = started(store)
    process.send_signal(signal.Signals[name])
    said = process.communicate(timeout=SECONDS)[1]
    assert process.returncode == 128 + signal.Signals[name]
    assert "The outcomes so far are in" in " ".join(said.split())
    assert Store(store).runs()[-1]["status"] == f"interrupted by {name}"
    again = subprocess.run([*COMMAND, "--store", str(store)], capture_output=True, text=True, timeout=SECONDS)
    assert again.returncode == 0, again.stderr
    assert "never ended" not in again.stderr
    assert_same(by_cell(store), by_cell(undisturbed), exactly=True)


def test_a_killed_run_is_said_by_the_next_one(undisturbed: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    process = started(store)
    process.kill()
    process.communicate(timeout=SECONDS)
    again = subprocess.run([*COMMAND, "--store", str(store)], capture_output=True, text=True, timeout=SECONDS)
    assert "never ended: it was killed" in " ".join(again.stderr.split())
    assert_same(by_cell(store), by_cell(undisturbed), exactly=True)


@SLOW
def test_nohup_keeps_a_run_alive(undisturbed: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    process = started(store, ignored=True)
    os.kill(process.pid, signal.SIGHUP)
    assert process.wait(timeout=SECONDS) == 0
    assert Store(store).runs()[-1]["status"] == "finished"
    assert_same(by_cell(store), by_cell(undisturbed), exactly=True)
