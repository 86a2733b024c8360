"""How far a run is, finer than a shard: passes are counted where they are made, and the display says what is left."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from robustbench_eff.core import progress as told
from robustbench_eff.evaluation.engines import pool
from robustbench_eff.evaluation.engines.store_writer import Progress
from robustbench_eff.evaluation.evaluate import NullListener
from robustbench_eff.evaluation.plan import Plan
from robustbench_eff.reports import progress as display
from running import outcomes, run


class Listening(NullListener):
    """Keeps the plan and every state."""

    def __init__(self) -> None:
        self.plan: Plan | None = None
        self.states: list[Progress] = []

    def planned(self, plan: Plan) -> None:
        self.plan = plan

    def progressed(self, progress: Progress) -> None:
        self.states.append(progress)

    def underway(self) -> list[int]:
        """Passes of the attack's unfinished shards, in the order in which they were told."""
        return [state.passes for state in self.states if state.passes and state.cell.kind == "attack"]


@pytest.mark.parametrize(
    "attack", ["pgd(eps=8/255, steps=5)", "one_pixel(generations=3)", "square(eps=8/255, queries=300)"]
)
def test_the_passes_of_a_shard_are_those_that_are_recorded(tmp_path: Path, attack: str) -> None:
    passes: list[int] = []
    with told.passes_told(passes.append):
        run(tmp_path / "all", attacks=["none"], limit=12)
    assert passes == []  # the run has its own counter
    listener = Listening()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "TELL_SECONDS", 0.0)
        run(tmp_path / "store", attacks=[attack], limit=12, listener=listener)
    seen = listener.underway()
    assert listener.plan is not None
    attacked = listener.plan.cells[-1]
    recorded = outcomes(tmp_path / "store")[attacked.cell.perturbation]
    counted = sum(sum(recorded[name].to_pylist()) for name in ("num_forwards", "num_backwards"))
    assert seen == sorted(seen)
    assert len(seen) > 3, "told while the only shard was computed"
    assert seen[0] < counted / 2
    assert counted <= seen[-1] <= 12 * attacked.passes, "the referee asks, too"
    assert listener.states[-1].passes == 0


def test_workers_in_processes_of_their_own_tell_as_well(tmp_path: Path) -> None:
    listener, attack = Listening(), "pgd(eps=1/255, steps=2000)"
    run(tmp_path / "store", attacks=[attack], limit=8, listener=listener, device="cpu,cpu")
    seen = listener.underway()
    assert seen
    assert all(0 < passes <= 8 * 4000 for passes in seen)


def test_the_time_left_is_told_after_ten_seconds_and_every_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = Listening()
    run(tmp_path / "store", attacks=["pgd(eps=8/255, steps=5)"], limit=10, listener=listener)
    assert listener.plan is not None
    _, attacked = listener.plan.cells
    assert attacked.passes >= 10
    clock = [100.0]
    monkeypatch.setattr(display.time, "monotonic", lambda: clock[0])
    text = io.StringIO()
    shown = display.Display(Console(file=text, width=200))
    shown.planned(listener.plan)

    def after(passed: float, **state: object) -> str:
        clock[0] = 100 + passed
        before = len(text.getvalue())
        shown.progressed(Progress(attacked.cell, 0, **({"done": 0, "correct": 0, "resumed": False} | state)))
        return text.getvalue()[before:].strip()

    total = 10 * attacked.passes + 10
    assert after(5, passes=10) == ""
    name = f"digits_standard · digits · {attacked.cell.perturbation}"
    left = 11 * (total - 20) / 20
    assert after(11, passes=20) == f"{100 * 20 / total:.0f} % of the run, about {left:.1f} s left; now {name}"
    assert after(30, passes=30) == ""
    assert after(75, done=5, correct=4.0).endswith(f"now {name}: 80.0 % of 5")
    assert after(90, done=10, correct=4.0, ended=True, seconds=90.0) == f"{name}: 40.0 % of 10 (90.0 s)"


def test_what_the_store_holds_already_does_not_make_the_run_look_fast(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = Listening()
    run(tmp_path / "store", attacks=["pgd(eps=8/255, steps=5)"], limit=10, listener=listener)
    assert listener.plan is not None
    clean, attacked = listener.plan.cells
    clock = [0.0]
    monkeypatch.setattr(display.time, "monotonic", lambda: clock[0])
    text = io.StringIO()
    shown = display.Display(Console(file=text, width=200))
    shown.planned(listener.plan)
    shown.progressed(Progress(clean.cell, 10, 10, 10, resumed=True))
    shown.progressed(Progress(attacked.cell, 8, 8, 8, resumed=True))
    clock[0] = 20.0
    shown.progressed(Progress(attacked.cell, 1, 9, 9, resumed=False))
    assert "about 20.0 s left" in text.getvalue()
