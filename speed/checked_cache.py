"""Measure what the checksums of the image cache cost: python speed/checked_cache.py --images 10000 --size 32

Each round reads all images in batches twice, with the checksums compared and without, in turns; the ratio of a pair is
of two reads one after the other, so that it does not depend on what else the machine does. The bytes per second of
CRC-32 and of BLAKE2b on blocks of one image say why it is CRC-32.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import statistics
import tempfile
import time
import zlib
from contextlib import nullcontext
from pathlib import Path
from unittest import mock

import numpy as np

from robustbench_eff.benchmarks import pixel_file
from robustbench_eff.benchmarks.benchmark import Benchmark
from robustbench_eff.benchmarks.image_cache import prepare
from robustbench_eff.benchmarks.image_set import ImageSet
from robustbench_eff.benchmarks.labelled_images import LabelledImages
from robustbench_eff.core.preprocessing import Geometry

BENCHMARK = Benchmark(
    name="random",
    title="random pixels",
    label_space="custom:random",
    licence="",
    download_url="",
    size="",
    num_classes=10,
)


def random_images(count: int, size: int) -> ImageSet:
    """Return random images from a new cache.

    Args:
        count: Number of images.
        size: Height and width in pixels.
    """
    pixels = np.random.default_rng(0).integers(0, 256, (count, size, size, 3), np.uint8)
    opened = LabelledImages(
        origin="random pixels",
        ids=[f"{row:08d}" for row in range(count)],
        labels=[row % 10 for row in range(count)],
        read=lambda position: pixels[position],
        stamp=f"{count} {size}",
    )
    return prepare(BENCHMARK, opened, Geometry(size=size, mode="none"))


def seconds_of_reading(images: ImageSet, batch: int) -> float:
    """Return the seconds in which all images are read as a model sees them.

    Args:
        images: The images.
        batch: Images of a batch.
    """
    began = time.perf_counter()
    for start in range(0, len(images), batch):
        images.batch(start, start + batch)
    return time.perf_counter() - began


def bytes_per_second(block: bytes, repeats: int) -> dict[str, float]:
    """Return the speed of both checksums on one block.

    Args:
        block: The block.
        repeats: How often it is hashed.
    """
    speeds = {}
    for name, hashed in (("crc32", zlib.crc32), ("blake2b", lambda content: hashlib.blake2b(content).digest())):
        began = time.perf_counter()
        for _ in range(repeats):
            hashed(block)
        speeds[name] = len(block) * repeats / (time.perf_counter() - began)
    return speeds


def main() -> None:
    """Print the ratios as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ROBUST_EVAL_CACHE"] = str(Path(folder))
        images = random_images(arguments.images, arguments.size)
        ratios, per_image = [], []
        for turn in range(arguments.rounds):
            took = {}
            for is_checked in (True, False) if turn % 2 else (False, True):
                with nullcontext() if is_checked else mock.patch.object(pixel_file, "unfitting", lambda *_: []):
                    took[is_checked] = seconds_of_reading(images, arguments.batch)
            ratios.append(took[True] / took[False])
            per_image.append((took[True] - took[False]) / arguments.images)
    block = np.random.default_rng(1).bytes(arguments.size**2 * 3)
    report = {
        "processor": platform.processor() or platform.machine(),
        "images": arguments.images,
        "size": arguments.size,
        "reading with checksums over reading without": round(statistics.median(ratios), 3),
        "quartiles": [round(each, 3) for each in statistics.quantiles(ratios, n=4)],
        "microseconds an image": round(1e6 * statistics.median(per_image), 2),
        "GB/s": {name: round(speed / 1e9, 2) for name, speed in bytes_per_second(block, 2_000).items()},
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
