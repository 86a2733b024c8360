"""Benchmark our corruptions against imagecorruptions, interleaved in one run: python speed/corruptions.py

Ours draws the random numbers of a batch and corrupts it; the reference processes one image after the other. Prints, and
writes as JSON with --out, the milliseconds per image of both at every severity, and the speed-up: the median over the
severities and repeats of the reference's time divided by ours. Needs the `dev` extra.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Collection
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image
from skimage import data

import record
from reference_corruptions import reference, repaired
from robustbench_eff import corruptions
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.corruptions import Kernel
from robustbench_eff.registry.perturbation_sets import IMAGENET_C
from robustbench_eff.system import devices

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
    cv2.setNumThreads(arguments.threads)
    pixels = photographs(arguments.batch)
    rows = []
    for kernel in kernels(arguments.only.split(",") if arguments.only else None):
        row = race(kernel, pixels.to(arguments.device), arguments.repeats)
        rows.append(row)
        print(
            f"{row['corruption']:36} ours {row['ours_ms']:8.3f} ms  reference {row['reference_ms']:9.3f} ms  "
            f"{row['times']:7.1f} times [{row['times_min']:.1f}, {row['times_max']:.1f}]",
            flush=True,
        )
    if (times := sweep(rows)) is not None:
        rows.append({"corruption": "all 15 of ImageNet-C", "times": times})
        print(f"{'all 15 of ImageNet-C':36} {times:.1f} times")
    if arguments.out is not None:
        facts = devices.describe(arguments.device) | {
            "threads": arguments.threads,
            "batch": arguments.batch,
            "side": SIDE,
        }
        record.write(arguments.out, facts | {"rows": rows})


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="names, separated by commas")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    record.add_option(parser)
    return parser.parse_args()


def kernels(names: Collection[str] | None = None) -> list[Kernel[Any]]:
    """Return the kernels of these names that the reference has, too; by default all."""
    found = [item for item in vars(corruptions).values() if isinstance(item, Kernel) and _peer(item.name)]
    return [kernel for kernel in found if names is None or kernel.name in names]


def sweep(rows: list[dict[str, Any]]) -> float | None:
    """Return the reference's time for the 15 corruptions of ImageNet-C divided by ours; None if some are missing."""
    timed = [row for row in rows if row["corruption"] in IMAGENET_C]
    if len(timed) < len(IMAGENET_C):
        return None
    total: float = sum(row["reference_ms"] for row in timed) / sum(row["ours_ms"] for row in timed)
    return total


def _peer(name: str) -> Callable[..., Any] | None:
    peer: Callable[..., Any] | None = getattr(reference, OTHER_NAMES.get(name, name), None)
    return peer


def photographs(count: int) -> torch.Tensor:
    pictures = [Image.fromarray(read()) for read in (data.astronaut, data.cat, data.coffee, data.rocket)]
    sides = [np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR)) for picture in pictures]
    return torch.from_numpy(np.stack([sides[number % len(sides)] for number in range(count)]))


def race(
    kernel: Kernel[Any], pixels: torch.Tensor, repeats: int, severities: Collection[int] = SEVERITIES
) -> dict[str, Any]:
    """Time ours and the reference in turn; our first call compiles and does not count."""
    draws = RandomStreams.of(0, range(len(pixels)), pixels.device)
    slow = [Image.fromarray(image) for image in pixels[: SLOW.get(kernel.name, 16)].cpu().numpy()]
    peer = _peer(kernel.name)
    assert peer is not None
    ours: list[float] = []
    theirs: list[float] = []
    for severity in severities:
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
    """With one thread on a CPU, the time of the processor, which other programs disturb less."""
    clock = time.process_time if torch.get_num_threads() == 1 and not torch.cuda.is_available() else time.perf_counter
    start = clock()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return 1000 * (clock() - start)


if __name__ == "__main__":
    main()
