"""Measure the cost of returning freed memory to the system: python speed/freed_memory.py

Times forward passes of timm networks with random weights in new processes, in turn with and without
`devices.keep_freed_memory`. Prints, and writes as JSON with --out, the median milliseconds per image and their ratio.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys

import record

NETWORKS = ("mobilenetv2_100", "resnet50", "vit_small_patch16_224")
PASSES = """
import sys, time, timm, torch
from robustbench_eff.system import devices
name, kept, threads, batch = sys.argv[1], sys.argv[2] == "kept", int(sys.argv[3]), int(sys.argv[4])
if kept:
    devices.keep_freed_memory()
torch.set_num_threads(threads)
network, images = timm.create_model(name).eval(), torch.rand(batch, 3, 224, 224)
times = []
with torch.no_grad():
    for _ in range(6):
        start = time.perf_counter()
        network(images)
        times.append((time.perf_counter() - start) * 1000 / batch)
print(sorted(times[1:])[2])
"""


def main() -> None:
    """Time every network with and without returning freed memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=32)
    record.add_option(parser)
    arguments = parser.parse_args()
    rows = []
    for name in NETWORKS:
        pairs = [[_milliseconds(name, how, arguments) for how in ("given", "kept")] for _ in range(arguments.repeats)]
        given, kept = (statistics.median(times) for times in zip(*pairs, strict=True))
        ratio = statistics.median(second / first for first, second in pairs)
        rows.append({"network": name, "given_back_ms": given, "kept_ms": kept, "ratio": ratio})
        print(f"{name:24} returned {given:7.2f} ms  kept {kept:7.2f} ms  ratio {ratio:.2f}", flush=True)
    if arguments.out is not None:
        facts = {"threads": arguments.threads, "batch": arguments.batch}
        record.write(arguments.out, facts | {"rows": rows})


def _milliseconds(name: str, how: str, arguments: argparse.Namespace) -> float:
    command = [sys.executable, "-c", PASSES, name, how, str(arguments.threads), str(arguments.batch)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    main()
