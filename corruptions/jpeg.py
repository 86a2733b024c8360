"""The round trip through a JPEG file, which torchvision's libjpeg-turbo makes as Pillow's does."""

from __future__ import annotations

from torch import Tensor
from torchvision.io import ImageReadMode, decode_jpeg, encode_jpeg

from robustbench_eff.types import Pixels

from .one_by_one import one_by_one


def round_trip(pixels: Pixels, quality: int) -> Pixels:
    """`pixels` as they come back from files of `quality` 1 to 100, colour at half resolution (4:2:0)."""

    def there_and_back(image: Tensor) -> Tensor:
        file = encode_jpeg(image.permute(2, 0, 1), quality)
        back: Tensor = decode_jpeg(file, mode=ImageReadMode.RGB)
        return back.permute(1, 2, 0)

    return one_by_one(there_and_back, pixels)
