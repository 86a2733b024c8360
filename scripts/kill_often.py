"""End runs cruelly, repeat their commands, and compare their stores with that of an undisturbed run.

python scripts/kill_often.py --kind random --kills 20             # SIGKILL of the command, 200 cells, one store
python scripts/kill_often.py --kind rename --kills 20             # SIGKILL behind a rename in the store
python scripts/kill_often.py --kind worker --kills 5 --workers 2  # SIGKILL of a worker

Kinds: `random` and `group` kill the command or its process group at random moments, `worker` a worker. `create`,
`sync`, `rename`, `remove`, `make` and `sync folder` kill the run behind one of these operations on a file of the
store, `torn` with half of a file written, and `union` while the shards of a cell are merged. `full` lets the disk be
full from one of the operations on; `tmpfs` does it with a file system of a few hundred kilobytes, for root. `power`
repeats the command on states that a power cut may leave. `ray` kills the raylet of a cluster that the run started,
which is its head, and `ray tmpfs` is `tmpfs` with workers of such a cluster.

Every kill of an operation has a store of its own. Prints every kill, and exits with 1 if a store differs.
"""

from __future__ import annotations

import argparse
import errno
import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import power_cuts
from file_operations import Operation, nothing, recorded, watched
from robustbench_eff import evaluate
from robustbench_eff.core.errors import StoreError
from robustbench_eff.storage.store import Store

COMMAND = [
    *(str(Path(sys.executable).with_name("robust-eval")), "--quiet", "--model", "digits_standard"),
    *("--model", "digits_pgd_at", "--benchmark", "digits", "--corruption", "cifar10_c", "--attack", "fgsm"),
    *("--attack", "pgd(eps=4/255)", "--attack", "pgd(eps=8/255)", "--attack", "pgd(eps=0.5, norm=l2)"),
]
OPERATIONS = ("create", "sync", "rename", "remove", "make", "sync folder")
KINDS = ("random", "worker", "group", *OPERATIONS, "torn", "union", "full", "tmpfs", "power", "ray", "ray tmpfs")
SMALL: dict[str, Any] = {
    "attacks": ("fgsm(eps=8/255)", "pgd(eps=8/255, steps=3)"),
    "benchmarks": ["digits"],
    "limit": 48,
    "shard_size": 8,
}
"""The run of which single operations are killed; it takes about a second."""
FULL = 75
"""Exit status of a run that reported a full disk."""


def main() -> None:
    """Run, kill, resume and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=KINDS, default="random")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    generator = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.kind in ("random", "group"):
            sys.exit(killed_at_random(folder, arguments, generator))
        started = run(folder / "undisturbed", arguments.workers, folder / "operations")
        if started:
            sys.exit("The undisturbed run failed.")
        operations: list[Operation] = pickle.loads((folder / "operations").read_bytes())
        failed = 0
        for number, end in enumerate(endings(arguments, operations, generator), 1):
            place = folder / str(number) / "store"
            what = end(place)
            status = run(place, arguments.workers)
            different = status or compared(folder / "undisturbed" / "store", place, pictures=arguments.workers == 1)
            failed += bool(different)
            print(f"{number}: {what}: {'FAILED' if different else 'survived'}", flush=True)
            shutil.rmtree(folder / str(number))
        print(f"{arguments.kind}: {arguments.kills} tried, {arguments.kills - failed} survived, {failed} failed")
        sys.exit(1 if failed else 0)


def endings(
    arguments: argparse.Namespace, operations: Sequence[Operation], generator: random.Random
) -> list[Callable[[Path], str]]:
    """Return one function for each kill, which leaves a store at a place and says what happened."""
    kind, workers = arguments.kind, arguments.workers
    match kind:
        case "worker" | "ray":
            name = "raylet" if kind == "ray" else "spawn_main"
            return [partial(without_process, generator.uniform(0, 1), workers, name) for _ in range(arguments.kills)]
        case "power":
            states = list(power_cuts.states(operations, arguments.seed, draws=8))
            generator.shuffle(states)
            del states[arguments.kills :]
            arguments.kills = len(states)
            return [partial(after_power_cut, state) for state in states]
        case "tmpfs" | "ray tmpfs":
            engine = {"engine": "ray", "workers": workers} if kind == "ray tmpfs" else {}
            sizes = [generator.randrange(40, 200) for _ in range(arguments.kills)]
            return [partial(on_small_disk, size, **engine) for size in sizes]
        case _:
            numbers = [number for number, operation in enumerate(operations) if belongs(kind, operation)]
            chosen = [numbers[generator.randrange(len(numbers))] for _ in range(arguments.kills)]
            if len(numbers) <= arguments.kills:
                chosen, arguments.kills = numbers, len(numbers)
            return [partial(killed_behind, number, kind) for number in sorted(chosen)]


def belongs(kind: str, operation: Operation) -> bool:
    """Return whether a run is killed behind an operation."""
    is_shard = operation.path.endswith(".parquet") or operation.target.endswith(".parquet")
    if kind == "union":  # its file has the samples of a whole cell, and its parts are removed
        whole = f"00000000-{SMALL['limit']:08d}." in operation.path + operation.target
        return whole or (operation.kind == "remove" and is_shard)
    return operation.kind == {"torn": "sync", "full": "create"}.get(kind, kind)


def run(
    folder: Path,
    workers: int,
    record: Path | None = None,
    before: Callable[[Operation], None] = nothing,
    after: Callable[[Operation], None] = nothing,
    **options: Any,
) -> int:
    """Evaluate in a process of its own, which this one has warmed up; return its exit status, negative if killed."""
    place = folder if folder.name == "store" else folder / "store"
    place.parent.mkdir(parents=True, exist_ok=True)
    process = start(place, workers, record, before, after, **options)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def start(
    place: Path,
    workers: int,
    record: Path | None = None,
    before: Callable[[Operation], None] = nothing,
    after: Callable[[Operation], None] = nothing,
    **options: Any,
) -> int:
    """Start an evaluation, and return the id of its process."""
    if process := os.fork():
        return process
    status = 1
    try:
        os.setsid()
        with recorded(place.parent) as operations, watched(place.parent, before, after):
            evaluate("digits_standard", store=place, workers=workers, device="cpu", **SMALL, **options)
        if record is not None:
            record.write_bytes(pickle.dumps(operations))
        status = 0
    except StoreError as error:
        status = FULL if "is full" in error.message else 1
        print(error, file=sys.stderr)
    except BaseException:  # noqa: BLE001, whatever it is, the parent must not run twice
        traceback.print_exc()
    os._exit(status)


def killed_behind(number: int, kind: str, place: Path) -> str:
    """Kill a run behind its operation of this number; for `full`, let the disk be full from there on."""
    seen: list[Operation] = []

    def before(operation: Operation) -> None:
        if kind == "full" and len(seen) >= number and operation.kind in ("create", "sync", "make"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def after(operation: Operation) -> None:
        seen.append(operation)
        if len(seen) == number + 1 and kind != "full":
            if kind == "torn":
                os.truncate(place.parent / operation.path, len(operation.content) // 2)
            os.kill(os.getpid(), signal.SIGKILL)

    status = run(place, 1, before=before, after=after)
    expected = FULL if kind == "full" else -signal.SIGKILL
    surprise = "" if status == expected else f" (exit status {status}, not {expected})"
    return f"{kind} behind operation {number}{surprise}"


def without_process(share: float, workers: int, name: str, place: Path) -> str:
    """Kill a child of the run with this in its command once a shard is stored; the run itself must end well."""
    place.parent.mkdir(parents=True, exist_ok=True)
    options: dict[str, Any] = {"engine": "ray"} if name == "raylet" else {}
    process = start(place, workers, **options)
    peek = os.WEXITED | os.WNOHANG | os.WNOWAIT
    while not list(place.glob("cells/*/*.parquet")) and not os.waitid(os.P_PID, process, peek):
        time.sleep(0.02)
    time.sleep(share)
    victims = [child for child in descendants(process) if name in command_of(child)]
    if victims:
        os.kill(victims[-1], signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    return f"{len(victims[-1:])} {name} killed, then exit status {status}"


def after_power_cut(state: dict[str, bytes | None], place: Path) -> str:
    """Write what a power cut left."""
    power_cuts.write(state, place.parent)
    return f"power cut with {len(state)} names"


def on_small_disk(kilobytes: int, place: Path, workers: int = 1, **options: Any) -> str:
    """Run with its store on a file system that is too small; then copy the store away, as a user does."""
    small = place.parent / "small"
    small.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(small)], check=True)
    try:
        status = run(small / "store", workers, **options)
        shutil.copytree(small / "store", place)
    finally:
        subprocess.run(["umount", str(small)], check=True)
    return f"{kilobytes} kB of space, exit status {status}"


def descendants(process: int) -> list[int]:
    """Return the ids of the children of a process, and theirs."""
    tasks = Path(f"/proc/{process}/task").glob("*/children")
    children = [int(word) for path in tasks for word in path.read_text().split()]
    return children + [below for child in children for below in descendants(child)]


def command_of(process: int) -> str:
    """Return the command of a process."""
    return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode()


def killed_at_random(folder: Path, arguments: argparse.Namespace, generator: random.Random) -> int:
    """Kill the command of 200 cells at random moments, in one store; return 1 if the stores differ."""
    command = [*COMMAND, "--workers", str(arguments.workers)]
    began = time.monotonic()
    subprocess.run([*command, "--store", f"{folder}/undisturbed"], check=True, stdout=subprocess.DEVNULL)
    seconds = time.monotonic() - began
    print(f"undisturbed: {seconds:.0f} s", flush=True)
    for kill in range(arguments.kills):
        process = subprocess.Popen(
            [*command, "--store", f"{folder}/killed"], stdout=subprocess.DEVNULL, start_new_session=True
        )
        files, delay = num_files(folder), generator.uniform(0, 1.5 * seconds / arguments.kills)
        while process.poll() is None and num_files(folder) == files:
            time.sleep(0.01)  # so that every kill hits a run that has started to write
        time.sleep(delay)
        if process.poll() is not None:
            print(f"the run finished before kill {kill + 1}", flush=True)
            break
        (os.killpg if arguments.kind == "group" else os.kill)(process.pid, signal.SIGKILL)
        process.wait()
        print(f"kill {kill + 1}: {num_files(folder)} files in the store", flush=True)
    subprocess.run([*command, "--store", f"{folder}/killed"], check=True, stdout=subprocess.DEVNULL)
    return compared(folder / "undisturbed", folder / "killed", pictures=arguments.workers == 1)


def num_files(folder: Path) -> int:
    """Return the number of files in the store."""
    return sum(1 for _ in folder.glob("killed/cells/*/*"))


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
    leftovers = [path for path in two.glob("cells/*/*") if ".part" in path.name or "corrupt" in path.name]
    print(f"{len(left.cells())} cells, {len(different)} different, {len(leftovers)} leftover files", flush=True)
    return 1 if different or leftovers else 0


if __name__ == "__main__":
    main()
