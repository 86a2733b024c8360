"""The main figures on this machine, in three minutes, from what the package ships: make speed-quick

Every figure compares two runs in turn, in one thread. Times are theirs / ours for the corruptions, ours / theirs else.
"""

from __future__ import annotations

import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import torch

import record
from robustbench_eff import load_classifier
from robustbench_eff.benchmarks.image_cache import prepare
from robustbench_eff.registry.build_benchmark import benchmark
from robustbench_eff.system import devices, environment

COLUMNS = 80
IMAGES, BATCH, REPEATS, SEVERITY, EPS = 24, 16, 2, 3, 8 / 255
SLOW = 2.0
"""Corruptions that are not this many times faster are listed one by one."""
PEERS = ("foolbox", "pyautoattack", "torchattacks", "imagecorruptions", "skimage")
"""Packages that we compare with; all but torchattacks, whose pins fit few environments, are in the `dev` extra."""


def main() -> None:
    """Measure and print."""
    warnings.filterwarnings("ignore")
    devices.keep_freed_memory()
    torch.set_num_threads(1)
    print(headline(environment.processor(), record.flags()))
    missing = [name for name in PEERS if find_spec(name) is None]
    if missing:
        how = "pip install --no-deps torchattacks" if missing == ["torchattacks"] else "make install"
        print(f"Left out, because it is not installed: {', '.join(missing)} ({how}).")
    for lines in (attacks(missing), corruptions(missing), startup()):
        for line in lines:
            print(line, flush=True)


def headline(processor: str, flags: list[str]) -> str:
    """Return the first line: the processor with those flags that fit beside it."""
    line = f"{processor}, 1 thread, torch {torch.__version__}:"
    for name in (unit for unit in record.UNITS if unit in flags):
        line += f" {name}" if len(line) + len(name) < COLUMNS else ""
    return line if flags else f"{line} {record.NOT_RECORDED}"


def attacks(missing: list[str]) -> Iterator[str]:
    """Yield AutoAttack and PGD-50 on the digits network."""
    from races import Setting, autoattack_races, pgd_races

    classifier = load_classifier("digits_standard")
    row = benchmark("digits", None)
    opened = row.open_bundled()  # type: ignore[misc]
    images, labels = prepare(row, opened, classifier.preprocessing.geometry, limit=IMAGES).batch(0, IMAGES, "cpu")
    with torch.no_grad():
        right = classifier(images).argmax(1) == labels
    given = Setting(classifier, images[right], labels[right], EPS, "linf", 64, 0, 0, compiled=False, precision="auto")
    yield f"\n{'the digits network, eps 8/255':40} {'ours/theirs':>14}  correct, of {len(given.images)}"
    races = [] if "pyautoattack" in missing else list(autoattack_races(given))
    races += [race for race in pgd_races(given) if race.name.startswith("pgd-50")]
    for race in races:
        peers = {name: run for name, run in race.peers.items() if name not in missing}
        seconds, correct = in_turn(
            {"ours": race.ours, **peers}, lambda x: int((classifier(x).argmax(1) == given.labels).sum())
        )
        for name in peers:
            ratio = statistics.median(a / b for a, b in zip(seconds["ours"], seconds[name], strict=True))
            how = "plain network" if "as it is" in race.name else given.default
            what = f"{race.name.split()[0]} ({how}), {name.partition(',')[0]}"
            yield f"{what:40} {ratio:14.2f}  {correct['ours']}/{correct[name]}"


def in_turn(
    runs: dict[str, Callable[[], Any]], judge: Callable[[Any], int]
) -> tuple[dict[str, list[float]], dict[str, int]]:
    """Return the seconds of every run after a first one that does not count, and what is judged of its last result."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    judged: dict[str, int] = {}
    for repeat in range(REPEATS):
        for name, run in runs.items():
            began = time.perf_counter()
            result = run()
            if repeat:
                seconds[name].append(time.perf_counter() - began)
            with torch.no_grad():
                judged[name] = judge(result)
    return seconds, judged


def corruptions(missing: list[str]) -> Iterator[str]:
    """Yield the sweep over the corruptions of ImageNet-C, and each that is hardly faster."""
    if "imagecorruptions" in missing or "skimage" in missing:
        return
    from corruptions import kernels, photographs, race, sweep
    from robustbench_eff.registry.perturbation_sets import IMAGENET_C

    pixels = photographs(BATCH)
    rows = [race(kernel, pixels, 1, [SEVERITY]) for kernel in kernels(IMAGENET_C)]
    yield f"\n{f'224 x 224, severity {SEVERITY}, imagecorruptions':40} {'theirs/ours':>14}"
    yield f"{'the 15 of ImageNet-C together':40} {sweep(rows):14.0f}"
    for row in rows:
        if row["times"] < SLOW:
            yield f"{row['corruption']:40} {row['times']:14.1f}"


def startup() -> Iterator[str]:
    """Yield the seconds of commands."""
    from startup import measured

    with tempfile.TemporaryDirectory() as folder:
        rows = measured(folder, 1)
    yield f"\n{'a new process':40} {'seconds':>14}"
    for row in rows:
        yield f"{row['command']:40} {row['seconds']:14.2f}"


if __name__ == "__main__":
    main()
