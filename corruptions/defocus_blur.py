"""Defocus blur: every pixel becomes a disk.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261; constants as in hendrycks/robustness 8190fe3. At severity 5 the
disk touches the border of its grid, whose mirror image makes the weights sum to 1.01, as published.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as functional
from jaxtyping import Float64
from torch import Tensor

from robustbench_eff.core.types import Pixels

from .corruption import Kernel
from .quantize import fractions, levels

Weights = npt.NDArray[np.float32]

SMALL = 8
"""Up to this radius the grid always reaches 8 pixels from its centre."""
LONG = 2
"""Pixels of a row that are added one by one; longer runs of equal weight are a difference of two sums."""

LARGE, ROUNDING = 1e-3, 1e-10
"""Levels: an error with which rough results would too rarely be certain, and more than float64 rounds.

They are not certain either where hardly any light leaves the disk: then many are whole numbers."""


class Lens(NamedTuple):
    """Constants of a severity, in pixels."""

    radius: float
    softness: float
    """Standard deviation of the Gaussian that smooths the disk's edge."""


def _apply(pixels: Pixels, lens: Lens) -> Pixels:
    weights = disk(lens).to(pixels.device)
    reach = len(weights) // 2
    planes = fractions(pixels).permute(0, 3, 1, 2)
    count, channels, height, width = planes.shape
    padded = functional.pad(planes, (reach,) * 4, mode="reflect").flatten(0, 1)[:, None]
    blurred = functional.conv2d(padded, weights[None, None]).view(count, channels, height, width)
    return levels(blurred.permute(0, 2, 3, 1))


def _compiled(pixels: Pixels, lens: Lens) -> Pixels:
    from .compiled import defocus, jit

    return jit.apply_loop(defocus.defocus_blur, pixels, tuple(_groups(lens)), tuple(_edge(lens)))


class _Groups(NamedTuple):
    """Pixels of the lower half of a disk, those of equal weight together. See `compiled.defocus.defocus_blur`."""

    reach: int
    weights: npt.NDArray[np.float64]
    run_ends: npt.NDArray[np.int64]
    runs: npt.NDArray[np.int64]
    pixel_ends: npt.NDArray[np.int64]
    places: npt.NDArray[np.int64]


@cache
def _groups(lens: Lens) -> _Groups:
    """Gather the pixels; the upper half of a disk is the mirror image of the lower one."""
    whole = disk(lens).numpy()
    centre = len(whole) // 2
    reach = int(np.abs(np.argwhere(whole) - centre).max())
    lower = whole[centre : centre + reach + 1, centre - reach : centre + reach + 1]
    weights = np.unique(lower[lower > 0])
    run_ends, pixel_ends = [0], [0]
    runs: list[tuple[int, int, int]] = []
    places: list[tuple[int, int]] = []
    for weight in weights:
        for row, same in enumerate(lower == weight):
            edges = np.flatnonzero(np.diff(same, prepend=False, append=False))
            for start, end in (edges.reshape(-1, 2) + 1).tolist():
                if end - start > LONG:
                    runs.append((row, start, end))
                else:
                    places += [(row, column) for column in range(start, end)]
        run_ends.append(len(runs))
        pixel_ends.append(len(places))
    ends = (np.array(run_ends), np.array(pixel_ends))
    tables = (np.array(runs, np.int64).reshape(-1, 3), np.array(places, np.int64).reshape(-1, 2))
    return _Groups(reach, weights, ends[0], tables[0], ends[1], tables[1])


class _Edge(NamedTuple):
    """A hard disk whose smoothed sums are nearly those of the disk. See `compiled.defocus.defocus_blur`."""

    widths: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float64]
    error: float


@cache
def _edge(lens: Lens) -> _Edge:
    whole = disk(lens).numpy()
    reach = int(lens.radius)
    widths = np.floor(np.sqrt(lens.radius**2 - np.arange(reach + 1) ** 2)).astype(np.int64)
    rows, columns = np.abs(np.mgrid[-reach - 1 : reach + 2, -reach - 1 : reach + 2])
    hard = (rows <= reach) & (columns <= widths[np.minimum(rows, reach)])
    beside = np.exp(-0.5 / lens.softness**2)
    line = np.array((beside, 1.0, beside)) / (1.0 + 2 * beside)
    smooth = sum(
        np.pad(hard, 1)[down : down + len(hard), across : across + len(hard)] * line[down] * line[across] / hard.sum()
        for down in range(3)
        for across in range(3)
    )
    border = len(whole) // 2 - len(smooth) // 2
    error = 255 * np.abs(whole - np.pad(smooth, border)).sum() if border >= 0 else np.inf
    weights = line[1] * np.array((line[1], line[0], line[0] ** 2 / line[1])) / hard.sum()
    return _Edge(widths, weights, float(error + ROUNDING if error < LARGE < line[0] else np.inf))


@cache
def disk(lens: Lens) -> Float64[Tensor, "side side"]:
    """Return the weights of a disk with a soft edge.

    The weights are float32 numbers, rounded as by OpenCV's fused multiplication, in a float64 tensor. The last bits
    matter: they make the weights sum to slightly less than 1, so that white becomes 254.

    Args:
        lens: Radius of the disk and softness of its edge, in pixels.
    """
    reach, size = (SMALL, 3) if lens.radius <= SMALL else (int(lens.radius), 5)
    x = np.arange(-reach, reach + 1)
    hard = (x[:, None] ** 2 + x**2 <= lens.radius**2).astype(np.float32)
    hard /= hard.sum()
    half = np.exp(-0.5 * (np.arange(size // 2 + 1) / lens.softness) ** 2)
    half = (half / (half[0] + 2 * half[1:].sum())).astype(np.float32)
    rows = _symmetric(hard.T, half, centre_last=len(half) == 2, fused=len(hard)).T
    return torch.from_numpy(_symmetric(rows, half, centre_last=False, fused=len(hard) // 8 * 8).astype(np.float64))


def _symmetric(field: Weights, half: Weights, *, centre_last: bool, fused: int) -> Weights:
    """Columns of `field` filtered with a symmetric kernel, mirrored at the ends.

    In the first `fused` columns a product is not rounded before it is added, as in OpenCV's vectorised loops.
    """
    reach, length = len(half) - 1, len(field)
    padded = np.pad(field, ((reach, reach), (0, 0)), mode="reflect")
    pairs = [padded[reach - tap :][:length] + padded[reach + tap :][:length] for tap in range(1, reach + 1)]
    terms = [(field, half[0]), *zip(pairs, half[1:], strict=True)]
    if centre_last:
        terms.reverse()
    total: Weights = terms[0][0] * terms[0][1]
    for values, weight in terms[1:]:
        exact = values.astype(np.float64) * np.float64(weight)
        exact[:, fused:] = exact[:, fused:].astype(np.float32)
        total = (exact + total).astype(np.float32)
    return total


DEFOCUS_BLUR = Kernel(
    name="defocus_blur",
    severities={
        "imagenet": (Lens(3, 0.1), Lens(4, 0.5), Lens(6, 0.5), Lens(8, 0.5), Lens(10, 0.5)),
        "cifar10": (Lens(0.3, 0.4), Lens(0.4, 0.5), Lens(0.5, 0.6), Lens(1, 0.2), Lens(1.5, 0.1)),
    },
    apply=_apply,
    compiled=_compiled,
)
