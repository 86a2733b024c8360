"""Transverse chromatic abberation: one colour stays, the two others are magnified about the centre.

Source: Mintun, Kirillov & Xie 2021, arXiv:2102.11273; constants as in facebookresearch/augmentation-corruption ba4d5a5,
whose name it bears. All three are smoothed as well: splines are laid through pixels taken for their coefficients.
"""

from __future__ import annotations

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Pixels

from .corruption import Kernel, RandomParameters, Size
from .cubic_spline import TAPS, taps
from .quantize import WHITE
from .severity_ranges import strength

Order = Int64[Tensor, "batch 3"]
"""For each channel 0 if it stays, 2 if it is magnified most."""


def _sample(draws: RandomStreams, size: Size, level: float) -> RandomParameters:
    return (draws.uniform((3,), stream="transverse_chromatic_abberation").argsort(dim=1, stable=True),)


def _apply(pixels: Pixels, level: float, order: Order) -> Pixels:
    image = pixels.movedim(3, 1).double().contiguous()
    row, down = (part.to(image.device)[order][..., None] for part in _magnified(image.shape[2], level))
    column, across = (part.to(image.device)[order][:, :, None] for part in _magnified(image.shape[3], level))
    total = torch.zeros_like(image)
    # In this order, because sums that end in a half are common, and are rounded up.
    for above in range(TAPS):
        lines = image.gather(2, row[:, :, :, above].expand_as(image)) * down[:, :, :, above]
        for left in range(TAPS):
            total += lines.gather(3, column[..., left].expand_as(image)) * across[..., left]
    return (total.clamp_min_(0) + 0.5).clamp_(max=WHITE).to(torch.uint8).movedim(1, 3)


def _magnified(length: int, level: float) -> tuple[Int64[Tensor, "3 length TAPS"], Float64[Tensor, "3 length TAPS"]]:
    """Taps along one direction for every magnification: ends lie on ends before the middle is cut out.

    They are made on the CPU: where a GPU divides by a constant it multiplies by its inverse, which moves the halves.
    """
    largest = strength(level, 0.5)
    places = []
    for scale in (1.0, 1.0 + largest / 2, 1.0 + largest):
        magnified = round(length * scale)
        margin = (magnified - length) // 2
        place = torch.arange(margin, margin + length, dtype=torch.float64)
        places.append(place * ((length - 1) / max(1, magnified - 1)))
    return taps(torch.stack(places), length)


TRANSVERSE_CHROMATIC_ABBERATION = Kernel(
    name="transverse_chromatic_abberation",
    severities={"cifar10": (1.0, 2.0, 5.0, 9.0, 10.0)},
    sample=_sample,
    apply=_apply,
)
