"""Kill a run of 200 cells at random moments, repeat its command until it ends, and compare its store with that of a run
that nobody disturbed: python scripts/kill_often.py

Prints what it did, and ends with 1 where the stores differ.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from robustbench_eff.storage.store import Store

COMMAND = [
    *(str(Path(sys.executable).with_name("robust-eval")), "--quiet", "--model", "digits_standard"),
    *("--model", "digits_pgd_at", "--benchmark", "digits", "--corruption", "cifar10_c", "--attack", "fgsm"),
    *("--attack", "pgd(eps=4/255)", "--attack", "pgd(eps=8/255)", "--attack", "pgd(eps=0.5, norm=l2)"),
]


def main() -> None:
    """Run, kill, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    words = parser.parse_args()
    command = [*COMMAND, "--workers", str(words.workers)]
    chance = random.Random(words.seed)
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        subprocess.run([*command, "--store", f"{folder}/calm"], check=True, stdout=subprocess.DEVNULL)
        whole = time.monotonic() - began
        print(f"undisturbed: {whole:.0f} s", flush=True)
        for kill in range(words.kills):
            process = subprocess.Popen([*command, "--store", f"{folder}/killed"], stdout=subprocess.DEVNULL)
            files, deadline = rows_of(folder), chance.uniform(0, 1.5 * whole / words.kills)
            while process.poll() is None and rows_of(folder) == files:
                time.sleep(0.01)  # so that every kill meets a run that has begun to write
            time.sleep(deadline)
            if process.poll() is not None:
                print(f"it ended before kill {kill + 1}", flush=True)
                break
            process.send_signal(signal.SIGKILL)
            process.wait()
            print(f"kill {kill + 1}: {rows_of(folder)} files in the store", flush=True)
        subprocess.run([*command, "--store", f"{folder}/killed"], check=True, stdout=subprocess.DEVNULL)
        sys.exit(compared(Path(folder) / "calm", Path(folder) / "killed", pictures=words.workers == 1))


def rows_of(folder: str) -> int:
    """How many files the store holds."""
    return sum(1 for _ in Path(folder).glob("killed/cells/*/*"))


def compared(one: Path, two: Path, *, pictures: bool) -> int:
    """0 where both stores hold the same cells and outcomes, and nothing half-written; and the same pictures, which are
    those of the first worker that has successes to show."""
    left, right = Store(one), Store(two)
    different = [
        cell
        for cell in left.cells().keys() | right.cells().keys()
        if left.cells().get(cell) != right.cells().get(cell)
        or not left.outcomes(cell).equals(right.outcomes(cell))
        or (pictures and left.picture(cell) != right.picture(cell))
    ]
    remains = [path for path in two.rglob("*") if ".part" in path.name or "corrupt" in path.name]
    print(f"{len(left.cells())} cells, {len(different)} different, {len(remains)} files that should not be there")
    return 1 if different or remains else 0


if __name__ == "__main__":
    main()
