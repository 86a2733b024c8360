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
from robustbench_eff.core.progress import ProgressCallback
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import ImageCorruption

from .output_folder import WriteCount

SEVERITIES = [1, 2, 3, 4, 5]
"""Severities of an array, in their order."""


def check_severities(corruptions: Mapping[str, ImageCorruption]) -> None:
    """Check that every corruption has all five severities, which share a file.

    Args:
        corruptions: Corruptions by spec text.

    Raises:
        UsageError: A severity is missing.
    """
    for name, by_severity in _by_name(corruptions).items():
        if sorted(by_severity) != SEVERITIES:
            raise UsageError(
                f"{name}: an array holds the severities 1 to 5, got {sorted(by_severity)}.", "Name all five."
            )


def write_arrays(
    images: ImageSet, corruptions: Mapping[str, ImageCorruption], out: Path, seed: int, progress: ProgressCallback
) -> WriteCount:
    """Write `OUT/corruption.npy`, uint8 (5 N, H, W, 3), for each corruption, and `OUT/labels.npy`.

    Args:
        images: The N clean images.
        corruptions: Corruptions by spec text, each at five severities.
        out: The folder. Arrays that exist are not written again.
        seed: Seed of the random draws.
        progress: Called after each corruption with its name and the number of images.

    Returns:
        Number of corrupted images.
    """
    by_name = _by_name(corruptions)
    atomic_write(out / "labels.npy", _bytes(np.tile(images.labels, len(SEVERITIES))))
    count, written = len(images) * len(SEVERITIES), 0
    for name, by_severity in by_name.items():
        path = out / f"{name}.npy"
        if not path.exists():
            draws = RandomStreams.of(seed, images.sample_ids)
            pixels = images.bytes(np.arange(len(images)))
            atomic_write(path, _bytes(np.concatenate([by_severity[level](pixels, draws) for level in SEVERITIES])))
            written += count
        progress(name, written, count * len(by_name))
    return WriteCount(written, count * len(by_name) - written)


def _by_name(corruptions: Mapping[str, ImageCorruption]) -> dict[str, dict[int, ImageCorruption]]:
    """Return the corruptions by name, then by severity."""
    by_name: dict[str, dict[int, ImageCorruption]] = {}
    for text, corruption in corruptions.items():
        parsed = spec.parse(text)
        by_name.setdefault(parsed.name, {})[int(parsed.arguments["severity"])] = corruption
    return by_name


def _bytes(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()
