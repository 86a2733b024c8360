"""Corrupted images as arrays, in the layout of CIFAR-10-C."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from robustbench_eff.benchmarks.image_set import ImageSet
from robustbench_eff.core import spec
from robustbench_eff.core.disk import atomic_write
from robustbench_eff.core.errors import UsageError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import ImageCorruption

from .output_folder import ProgressCallback, WriteCount

SEVERITIES = [1, 2, 3, 4, 5]


def check_severities(made: Mapping[str, ImageCorruption]) -> None:
    """UsageError unless every corruption is asked at all five severities, which share a file."""
    for name, severities in _by_name(made).items():
        if sorted(severities) != SEVERITIES:
            raise UsageError(f"{name}: an array holds the severities 1 to 5, got {sorted(severities)}.", "Ask for all.")


def write_arrays(
    images: ImageSet, made: Mapping[str, ImageCorruption], out: Path, seed: int, tick: ProgressCallback
) -> WriteCount:
    """Write OUT/corruption.npy, uint8 (5 n, H, W, 3), for each corruption, and OUT/labels.npy."""
    whole = _by_name(made)
    atomic_write(out / "labels.npy", _bytes(np.tile(images.labels, len(SEVERITIES))))
    count, written = len(images) * len(SEVERITIES), 0
    for name, severities in whole.items():
        path = out / f"{name}.npy"
        if not path.exists():
            draws = RandomStreams.of(seed, images.sample_ids)
            pixels = images.bytes(np.arange(len(images)))
            atomic_write(path, _bytes(np.concatenate([severities[level](pixels, draws) for level in SEVERITIES])))
            written += count
        tick(name, written, count * len(whole))
    return WriteCount(written, count * len(whole) - written)


def _by_name(made: Mapping[str, ImageCorruption]) -> dict[str, dict[int, ImageCorruption]]:
    """Corruptions by name and severity."""
    found: dict[str, dict[int, ImageCorruption]] = {}
    for text, corruption in made.items():
        parsed = spec.parse(text)
        found.setdefault(parsed.name, {})[int(parsed.arguments["severity"])] = corruption
    return found


def _bytes(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()
