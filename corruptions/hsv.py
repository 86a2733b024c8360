"""Hue, saturation and value of RGB colours and back, operation by operation as in scikit-image.

Source: scikit-image 0.26, skimage.color.rgb2hsv and hsv2rgb (Smith 1978).
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import torch
from jaxtyping import Float64
from torch import Tensor

from .quantize import Fractions, divided

Channel: TypeAlias = Float64[Tensor, "batch height width"]


class HSV(NamedTuple):
    """The channels of HSV."""

    hue: Channel
    """In [0, 1); 0 for greys."""
    saturation: Channel
    """In [0, 1]; 0 for greys."""
    value: Channel
    """In [0, 1]."""


def hsv(rgb: Fractions) -> HSV:
    """Convert colours to HSV.

    Args:
        rgb: Colours in [0, 1], channels last.
    """
    red, green, blue = rgb.unbind(-1)
    value = rgb.amax(-1)
    spread = value - rgb.amin(-1)
    hue = torch.where(red == value, (green - blue) / spread, 4.0 + (red - green) / spread)
    hue = torch.where(green == value, 2.0 + (blue - red) / spread, hue)
    hue = torch.where(blue == value, 4.0 + (red - green) / spread, hue)
    grey = spread == 0
    hue = divided(hue, 6.0).remainder(1.0).masked_fill_(grey, 0.0)
    return HSV(hue, (spread / value).masked_fill_(grey, 0.0), value)


def rgb(hue: Channel, saturation: Channel, value: Channel) -> Fractions:
    """Convert HSV to colours, channels last.

    Args:
        hue: In [0, 1].
        saturation: In [0, 1].
        value: In [0, 1].
    """
    sector = (hue * 6.0).floor()
    within = hue * 6.0 - sector
    low = value * (1.0 - saturation)
    falling = value * (1.0 - within * saturation)
    rising = value * (1.0 - (1.0 - within) * saturation)
    index = sector.long().remainder(6)[None]
    channels = (
        torch.stack((value, falling, low, low, rising, value)),
        torch.stack((rising, value, value, falling, low, low)),
        torch.stack((low, low, rising, value, value, falling)),
    )
    return torch.stack([choices.gather(0, index)[0] for choices in channels], dim=-1)
