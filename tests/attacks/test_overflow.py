"""Overflow of a low-precision copy: found at once on a CPU, a few steps later on an accelerator, and said."""

from __future__ import annotations

import torch

from robustbench_eff.attacks import overflow
from robustbench_eff.attacks.overflow import MOST_UNREAD, OVERFLOWED, Overflow
from robustbench_eff.attacks.pass_counts import PassCounts

ROWS, LOGITS, TOO_LARGE = torch.arange(2), torch.zeros(2, 3), torch.tensor([[0.0, 0, 0], [0, float("inf"), 0]])


def test_a_cpu_finds_it_at_once() -> None:
    counts, found = PassCounts(2, "cpu"), Overflow()
    assert found.where(counts, ROWS, LOGITS) is None
    where = found.where(counts, ROWS, TOO_LARGE)
    assert where is not None
    assert where.tolist() == [False, True]
    assert counts.stats.num_forwards.tolist() == [0, 1]
    assert counts.stats.notes == [OVERFLOWED]


def test_an_accelerator_finds_it_when_it_is_read(monkeypatch) -> None:
    monkeypatch.setattr(overflow, "steps_between_readings", lambda device: 8)
    counts, found = PassCounts(2, "cpu"), Overflow()
    gradient = torch.zeros(2, 1, 1, 1)
    assert found.where(counts, ROWS, TOO_LARGE, gradient) is None
    assert found.where(counts, ROWS, LOGITS, gradient * float("nan")) is None
    assert found.where(counts, ROWS, LOGITS, gradient) is None
    unread = found.unread()
    assert unread.tolist() == [True, True, False]
    found.read(unread.any())
    assert found.where(counts, ROWS, TOO_LARGE) is not None  # at once from now on
    found.finish(counts)
    assert counts.stats.notes == [OVERFLOWED, f"{OVERFLOWED}, at first a few steps late"]


def test_nothing_stays_unread(monkeypatch) -> None:
    monkeypatch.setattr(overflow, "steps_between_readings", lambda device: 8)
    counts, found = PassCounts(2, "cpu"), Overflow()
    for _ in range(MOST_UNREAD):
        assert found.where(counts, ROWS, TOO_LARGE) is None
    assert found.where(counts, ROWS, TOO_LARGE) is not None
    last = Overflow()
    assert last.where(counts, ROWS, TOO_LARGE) is None
    last.finish(counts)
    assert counts.stats.notes[-1] == f"{OVERFLOWED}, at first a few steps late"
