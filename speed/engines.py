"""Measure the overhead of the engines: python speed/engines.py

Overhead: the time of a run after its plan minus the time that its worker computed, per shard; shards are small, so that
there are many. Workers: the time of a run after its plan with one worker, with two of one thread each, and with two on
a Ray cluster of this machine, on one PGD cell that no sample leaves early. The time to start the workers and to make
the plan is printed separately.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from typing import Any

import record
from robustbench_eff import evaluate
from robustbench_eff.evaluation.engines.store_writer import Progress
from robustbench_eff.evaluation.evaluate import NullListener
from robustbench_eff.evaluation.plan import Plan

MODEL, ATTACK = "digits_pgd_at", "pgd(eps=1/255, steps={})"


class Clock(NullListener):
    """Record the time of the events of a run."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self.shards, self.worker_seconds = 0, 0.0

    def planned(self, plan: Plan) -> None:
        del plan
        self.ready = time.perf_counter()

    def progressed(self, progress: Progress) -> None:
        self.shards += bool(progress.samples)
        if progress.ended:
            self.worker_seconds += progress.seconds

    def ended(self) -> None:
        self.done = time.perf_counter()


def main() -> None:
    """Measure and print; JSON with --out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--ray", action="store_true", help="also measure Ray")
    record.add_option(parser)
    arguments = parser.parse_args()
    rows = [overhead(arguments.repeats)]
    options_by_kind: dict[str, dict[str, Any]] = {"one": {}, "two": {"workers": 2}}
    if arguments.ray:
        options_by_kind["two on ray"] = {"workers": 2, "engine": "ray"}
    clocks_by_kind: dict[str, list[Clock]] = {kind: [] for kind in options_by_kind}
    for _ in range(arguments.repeats):
        for kind, options in options_by_kind.items():
            clocks_by_kind[kind].append(timed(attacks=[ATTACK.format(arguments.steps)], shard_size=32, **options))
    alone = statistics.median(clock.done - clock.ready for clock in clocks_by_kind["one"])
    for kind, clocks in clocks_by_kind.items():
        seconds = statistics.median(clock.done - clock.ready for clock in clocks)
        starting = statistics.median(clock.ready - clock.began for clock in clocks)
        row = {"workers": kind, "seconds": round(seconds, 2), "of_one": round(seconds / alone, 3)}
        rows.append(row | {"starting_seconds": round(starting, 2)})
        print(rows[-1])
    if arguments.out is not None:
        record.write(arguments.out, {"rows": rows})


def overhead(repeats: int) -> dict[str, Any]:
    """Return the overhead in milliseconds per shard, on four cells with shards of four images."""
    costs, shards = [], 0
    for _ in range(repeats):
        clock = timed(attacks=["fgsm", "fgsm(eps=8/255)", "pgd(eps=1/255)"], shard_size=4)
        shards = clock.shards
        costs.append((clock.done - clock.ready - clock.worker_seconds) / shards)
    row = {"overhead_ms": round(1000 * statistics.median(costs), 2), "shards": shards}
    print(row)
    return row


def timed(**options: Any) -> Clock:
    with tempfile.TemporaryDirectory() as folder:
        clock = Clock()
        evaluate(MODEL, benchmarks=["digits"], store=f"{folder}/store", listener=clock, **options)
        return clock


if __name__ == "__main__":
    main()
