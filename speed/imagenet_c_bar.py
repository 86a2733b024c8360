"""Benchmark our ImageNet-C-bar corruptions against their authors' code, in turn.

    python speed/imagenet_c_bar.py --reference CHECKOUT/imagenet_c_bar --python PYTHON

CHECKOUT is a checkout of facebookresearch/augmentation-corruption, PYTHON an interpreter that runs it (it requires
numpy 1.22, scipy 1.5 and scikit-image 0.16). Ours draws the random numbers of a batch and corrupts it; the reference
processes one image after the other. Prints, and writes as JSON with --out, the milliseconds per image at severity 3 and
the speed-up: the reference's time divided by ours.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

import record
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.registry.corruptions import CORRUPTIONS
from robustbench_eff.registry.perturbation_sets import IMAGENET_C_BAR
from robustbench_eff.system import devices

SIDE, SEVERITY = 224, 3
REFERENCE = """
import sys, time, numpy as np
sys.path.insert(0, sys.argv[1])
from transform_finder import build_transform
name, severity, image = sys.argv[2], float(sys.argv[3]), np.load(sys.argv[4])
times = []
while sum(times) < 1.0:
    start = time.perf_counter()
    build_transform(name=name, severity=severity, dataset_type="imagenet")(image)
    times.append(time.perf_counter() - start)
print(1000 * sorted(times)[len(times) // 2])
"""


def main() -> None:
    """Time the ten corruptions."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--python", type=Path, required=True)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    record.add_option(parser)
    arguments = parser.parse_args()
    devices.keep_freed_memory()
    torch.set_num_threads(arguments.threads)
    rows = []
    for name in IMAGENET_C_BAR:
        row = _race(name, arguments)
        rows.append(row)
        times = f"ours {row['ours_ms']:8.3f} ms  reference {row['reference_ms']:9.1f} ms  {row['times']:6.0f} times"
        print(f"{name:28} {times}", flush=True)
    whole = sum(row["reference_ms"] for row in rows) / sum(row["ours_ms"] for row in rows)
    rows.append({"corruption": "all 10", "times": whole})
    print(f"all 10: {whole:.0f} times")
    if arguments.out is not None:
        facts = {"threads": arguments.threads, "batch": arguments.batch, "side": SIDE, "severity": SEVERITY}
        record.write(arguments.out, facts | {"rows": rows})


def _race(name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    corruption = CORRUPTIONS[name].load().at(SEVERITY)
    level = _levels(arguments.reference)[name][SEVERITY - 1]
    pixels = torch.from_numpy(
        np.random.default_rng(0).integers(0, 256, (arguments.batch, SIDE, SIDE, 3), dtype=np.uint8)
    )
    draws = RandomStreams.of(0, range(len(pixels)))
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "image.npy"
        np.save(image, pixels[0].numpy())
        command = [arguments.python, "-c", REFERENCE, arguments.reference, name, level, image]
        corruption(pixels[:4], draws[:4])
        for _ in range(arguments.repeats):
            start = time.perf_counter()
            corruption(pixels, draws)
            ours.append((time.perf_counter() - start) * 1000 / len(pixels))
            completed = subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True)
            theirs.append(float(completed.stdout))
    times = statistics.median(peer / own for own, peer in zip(ours, theirs, strict=True))
    return {
        "corruption": name,
        "ours_ms": statistics.median(ours),
        "reference_ms": statistics.median(theirs),
        "times": times,
    }


def _levels(reference: Path) -> dict[str, list[float]]:
    """Return the severities of the authors' table."""
    rows = [line.split(",") for line in (reference / "imagenet_c_bar.csv").read_text().splitlines() if line.strip()]
    return {name: [float(level) for level in levels] for name, *levels in rows}


if __name__ == "__main__":
    main()
