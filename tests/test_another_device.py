"""Everything stays on the device of its tensors, and no outcome depends on which that is."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

import device_parity


@pytest.fixture(scope="module")
def process() -> Iterator[ProcessPoolExecutor]:
    """One that has the device; here torch stays as it is."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=device_parity.begin) as pool:
        yield pool


@pytest.mark.parametrize("of", [device_parity.attacks, device_parity.corruptions, device_parity.defenses])
def test_every_row_of_a_table(of, process: ProcessPoolExecutor) -> None:
    assert process.submit(of).result() == []


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({"suite": "quick"}, 3),
        ({"attacks": ["pgd(eps=8/255, steps=3)"], "precision": "float16"}, 2),
        ({"suite": "sequences", "limit": 2}, 21),
        ({"benchmarks": ["digits-cue-conflict"], "attacks": ["fgsm"]}, 2),
        ({"attacks": ["pgd(eps=1, norm=l2, steps=2) on smoothing(sigma=0.25, n=50, n0=10, draws=2)"]}, 3),
    ],
)
def test_a_run(options: dict, count: int, tmp_path: Path, process: ProcessPoolExecutor) -> None:
    found = process.submit(device_parity.cells, str(tmp_path), {"limit": 12} | options).result()
    assert found == (count, [])


def test_what_lies_on_two_devices_is_refused(process: ProcessPoolExecutor) -> None:
    assert "tensors on the CPU, of shapes [(2,)]" in process.submit(device_parity.met).result()
