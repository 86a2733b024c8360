"""Kill a run of 200 cells at random moments, repeat its command until it finishes, and compare its store with the store
of an undisturbed run: python scripts/kill_often.py

Prints every kill, and exits with 1 if the stores differ.
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
    """Run, kill, resume and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    command = [*COMMAND, "--workers", str(arguments.workers)]
    generator = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        subprocess.run([*command, "--store", f"{folder}/undisturbed"], check=True, stdout=subprocess.DEVNULL)
        seconds = time.monotonic() - began
        print(f"undisturbed: {seconds:.0f} s", flush=True)
        for kill in range(arguments.kills):
            process = subprocess.Popen([*command, "--store", f"{folder}/killed"], stdout=subprocess.DEVNULL)
            files, delay = num_files(folder), generator.uniform(0, 1.5 * seconds / arguments.kills)
            while process.poll() is None and num_files(folder) == files:
                time.sleep(0.01)  # so that every kill hits a run that has started to write
            time.sleep(delay)
            if process.poll() is not None:
                print(f"the run finished before kill {kill + 1}", flush=True)
                break
            process.send_signal(signal.SIGKILL)
            process.wait()
            print(f"kill {kill + 1}: {num_files(folder)} files in the store", flush=True)
        subprocess.run([*command, "--store", f"{folder}/killed"], check=True, stdout=subprocess.DEVNULL)
        sys.exit(compared(Path(folder) / "undisturbed", Path(folder) / "killed", pictures=arguments.workers == 1))


def num_files(folder: str) -> int:
    """Return the number of files in the store."""
    return sum(1 for _ in Path(folder).glob("killed/cells/*/*"))


def compared(one: Path, two: Path, *, pictures: bool) -> int:
    """Return 0 if both stores hold the same cells and outcomes and no half-written files, else 1.

    With `pictures` the galleries must be equal too; with several workers they depend on which of them is first.
    """
    left, right = Store(one), Store(two)
    different = [
        cell
        for cell in left.cells().keys() | right.cells().keys()
        if left.cells().get(cell) != right.cells().get(cell)
        or not left.outcomes(cell).equals(right.outcomes(cell))
        or (pictures and left.picture(cell) != right.picture(cell))
    ]
    leftovers = [path for path in two.rglob("*") if ".part" in path.name or "corrupt" in path.name]
    print(f"{len(left.cells())} cells, {len(different)} different, {len(leftovers)} leftover files")
    return 1 if different or leftovers else 0


if __name__ == "__main__":
    main()
