"""Benchmark our corruptions against imagecorruptions, interleaved in one run: python speed/corruptions.py

Ours draws the random numbers of a batch and corrupts it; the reference processes one image after the other. Prints, and
writes as JSON with --out, the milliseconds per image of both at every severity, and the speed-up: the median over the
severities and repeats of the reference's time divided by ours. Needs the `dev` extra.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from skimage import data

from reference_corruptions import reference, repaired
from robustbench_eff import corruptions
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.corruptions import Kernel
from robustbench_eff.registry.perturbation_sets import IMAGENET_C
from robustbench_eff.system import devices, environment

SIDE, SEVERITIES = 224, range(1, 6)
SLOW = {"glass_blur": 1, "zoom_blur": 4}
"""Number of images on which a slow reference is timed; the others are timed on 16."""
OTHER_NAMES = {"snow_imagecorruptions": "snow", "elastic_transform_imagecorruptions": "elastic_transform"}
"""Name of the reference that runs the same algorithm, where it differs from ours."""


def main() -> None:
    """Time every corruption that both packages have."""
    arguments = _arguments()
    devices.keep_freed_memory()
    torch.set_num_threads(arguments.threads)
    pixels = _photographs(arguments.batch)
    rows = []
    for kernel in _kernels(arguments.only):
        row = _race(kernel, pixels.to(arguments.device), arguments.repeats)
        rows.append(row)
        print(
            f"{row['corruption']:36} ours {row['ours_ms']:8.3f} ms  reference {row['reference_ms']:9.3f} ms  "
            f"{row['times']:7.1f} times [{row['times_min']:.1f}, {row['times_max']:.1f}]",
            flush=True,
        )
    sweep = [row for row in rows if row["corruption"] in IMAGENET_C]
    if len(sweep) == 15:
        times = sum(row["reference_ms"] for row in sweep) / sum(row["ours_ms"] for row in sweep)
        rows.append({"corruption": "all 15 of ImageNet-C", "times": times})
        print(f"{'all 15 of ImageNet-C':36} {times:.1f} times")
    if arguments.out is not None:
        facts = {name: value for name, value in environment.describe().items() if name != "command"}
        facts |= devices.describe(arguments.device) | {
            "threads": arguments.threads,
            "batch": arguments.batch,
            "side": SIDE,
        }
        arguments.out.write_text(json.dumps(facts | {"rows": rows}, indent=1) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="names, separated by commas")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def _kernels(only: str) -> list[Kernel[Any]]:
    kernels = [item for item in vars(corruptions).values() if isinstance(item, Kernel) and _peer(item.name)]
    return [kernel for kernel in kernels if not only or kernel.name in only.split(",")]


def _peer(name: str) -> Callable[..., Any] | None:
    peer: Callable[..., Any] | None = getattr(reference, OTHER_NAMES.get(name, name), None)
    return peer


def _photographs(count: int) -> torch.Tensor:
    pictures = [Image.fromarray(read()) for read in (data.astronaut, data.cat, data.coffee, data.rocket)]
    sides = [np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR)) for picture in pictures]
    return torch.from_numpy(np.stack([sides[number % len(sides)] for number in range(count)]))


def _race(kernel: Kernel[Any], pixels: torch.Tensor, repeats: int) -> dict[str, Any]:
    """Time ours and the reference in turn; our first call compiles and does not count."""
    draws = RandomStreams.of(0, range(len(pixels)), pixels.device)
    slow = [Image.fromarray(image) for image in pixels[: SLOW.get(kernel.name, 16)].cpu().numpy()]
    peer = _peer(kernel.name)
    assert peer is not None
    ours: list[float] = []
    theirs: list[float] = []
    for severity in SEVERITIES:
        corruption = kernel.at(severity)
        corruption(pixels[:2], draws[torch.arange(2, device=pixels.device)])
        for _ in range(repeats):
            ours.append(_milliseconds(lambda corruption=corruption: corruption(pixels, draws)) / len(pixels))  # type: ignore[misc]
            with repaired():
                each = _milliseconds(lambda severity=severity: [np.uint8(peer(item, severity)) for item in slow])  # type: ignore[misc]
            theirs.append(each / len(slow))
    times = [peer_time / own for own, peer_time in zip(ours, theirs, strict=True)]
    return {
        "corruption": kernel.name,
        "ours_ms": statistics.median(ours),
        "reference_ms": statistics.median(theirs),
        "times": statistics.median(times),
        "times_min": min(times),
        "times_max": max(times),
        "ours_ms_by_severity": [
            statistics.median(ours[start : start + repeats]) for start in range(0, len(ours), repeats)
        ],
        "reference_ms_by_severity": [
            statistics.median(theirs[start : start + repeats]) for start in range(0, len(theirs), repeats)
        ],
    }


def _milliseconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return 1000 * (time.perf_counter() - start)


if __name__ == "__main__":
    main()
