"""Hue, saturation and value of RGB colours and back, operation by operation as scikit-image has them.

Source: scikit-image 0.26, skimage.color.rgb2hsv and hsv2rgb (Smith 1978).
"""

from __future__ import annotations

from typing import TypeAlias

import torch
from jaxtyping import Float64
from torch import Tensor

from .quantize import Fractions, divided

Channel: TypeAlias = Float64[Tensor, "batch height width"]


def hsv(rgb: Fractions) -> tuple[Channel, Channel, Channel]:
    """Hue in [0, 1), saturation and value in [0, 1]; hue and saturation of greys are 0."""
    red, green, blue = rgb.unbind(-1)
    value = rgb.amax(-1)
    spread = value - rgb.amin(-1)
    hue = torch.where(red == value, (green - blue) / spread, 4.0 + (red - green) / spread)
    hue = torch.where(green == value, 2.0 + (blue - red) / spread, hue)
    hue = torch.where(blue == value, 4.0 + (red - green) / spread, hue)
    grey = spread == 0
    hue = divided(hue, 6.0).remainder(1.0).masked_fill_(grey, 0.0)
    return hue, (spread / value).masked_fill_(grey, 0.0), value


def rgb(hue: Channel, saturation: Channel, value: Channel) -> Fractions:
    """The colours, channels last."""
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
