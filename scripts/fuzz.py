"""Read changed files of every kind for hours: python scripts/fuzz.py --hours 2

Prints every input that is not taken well, and stores it under build/fuzz/KIND; exits with 1 if there was one. Each
hundred inputs are read by a process of their own, so that a crash of the interpreter is found, too.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from fuzz_kinds import NAMES, kind
from fuzzing import check, keep

STEP = 100
"""Number of inputs that one process reads."""


def main() -> None:
    """Read changed files until the time is over."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--kind", choices=NAMES, action="append", help="may be repeated; default: all")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    names, end = arguments.kind or NAMES, time.monotonic() + 3600 * arguments.hours
    inputs, faults = 0, 0
    for round_number, name in ((number, name) for number in itertools.count() for name in names):
        if time.monotonic() > end:
            break
        status = _in_own_process(name, arguments.seed, range(round_number * STEP, (round_number + 1) * STEP))
        inputs, faults = inputs + STEP, faults + (status != 0)
    print(f"{inputs} inputs of {len(names)} kinds, {faults} groups of {STEP} with a fault")
    sys.exit(1 if faults else 0)


def _in_own_process(name: str, seed: int, numbers: range) -> int:
    """Read some inputs; return 0 if all were taken well."""
    if not (child := os.fork()):
        os._exit(_read(name, seed, numbers))
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        print(f"{name}, seed {seed}, inputs {numbers}: killed by signal {os.WTERMSIG(status)}", flush=True)
    return status


def _read(name: str, seed: int, numbers: range) -> int:
    status = 0
    with tempfile.TemporaryDirectory() as folder:
        for number, content, fault in check(kind(name), name, Path(folder), seed=seed, numbers=numbers):
            print(f"{name}, seed {seed}, input {number}: {fault} ({keep(name, content)})", flush=True)
            status = 1
    return status


if __name__ == "__main__":
    main()
