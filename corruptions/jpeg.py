"""The round trip through a JPEG file, which torchvision's libjpeg-turbo makes as Pillow's does."""

from __future__ import annotations

import torch
from torchvision.io import ImageReadMode, decode_jpeg, encode_jpeg

from robustbench_eff.types import Pixels


def round_trip(pixels: Pixels, quality: int) -> Pixels:
    """`pixels` as they come back from files of `quality` 1 to 100, colour at half resolution (4:2:0)."""
    planes = pixels.permute(0, 3, 1, 2).cpu().contiguous()
    back = [decode_jpeg(encode_jpeg(image, quality), mode=ImageReadMode.RGB) for image in planes]
    return torch.stack(back).permute(0, 2, 3, 1).contiguous().to(pixels.device)
