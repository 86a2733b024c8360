"""Measure how much memory a long run needs beyond its model: python speed/memory.py

Evaluates 50,000 synthetic images in 20 cells, computes the scores, and reports the peak memory of the process minus its
memory after the model was loaded.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import record
from robustbench_eff import evaluate, load_classifier
from robustbench_eff.system import devices

CORRUPTIONS = [
    f"{name}(severity={severity})"
    for name in ("brightness", "contrast", "saturate", "pixelate", "gaussian_noise", "defocus_blur")
    for severity in (1, 3, 5)
]


def main() -> None:
    """Measure and print; JSON with --out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=50_000)
    record.add_option(parser)
    arguments = parser.parse_args()
    rows = [measured(arguments.samples // 10), measured(arguments.samples)]
    for row in rows:
        print(row)
    if arguments.out is not None:
        record.write(arguments.out, {"rows": rows})


def measured(samples: int) -> dict[str, Any]:
    """Return the peak memory of a new process that evaluates `samples` samples."""
    with tempfile.TemporaryDirectory() as folder:
        random = np.random.Generator(np.random.PCG64(0))
        images = random.integers(0, 256, (samples, 32, 32, 3), np.uint8)
        np.savez(Path(folder) / "synthetic.npz", images=images, labels=np.arange(samples) % 10)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            return pool.apply(run, (folder, samples))


def run(folder: str, samples: int) -> dict[str, Any]:
    """Evaluate and measure; called in a process of its own."""
    devices.keep_freed_memory()
    model = load_classifier("digits_standard")
    before = resident()
    start = time.perf_counter()
    result = evaluate(
        model,
        benchmarks=["synthetic"],
        data={"synthetic": f"{folder}/synthetic.npz"},
        attacks=["fgsm(eps=8/255)"],
        corruptions=CORRUPTIONS,
        store=f"{folder}/store",
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {
        "samples": samples,
        "cells": len({score.cell for score in result.scores if score.cell}),
        "seconds": round(time.perf_counter() - start, 1),
        "with_model_gib": round(before, 2),
        "peak_gib": round(peak, 2),
        "beyond_gib": round(peak - before, 2),
    }


def resident() -> float:
    """Return the resident memory of this process in GiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**30


if __name__ == "__main__":
    main()
