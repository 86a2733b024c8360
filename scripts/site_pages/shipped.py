"""What the pictures show: digits and a network that this package installs, and photographs of scikit-learn."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

if TYPE_CHECKING:
    from robustbench_eff.models.classifier import Classifier

NETWORK = "digits_standard"
"""The shipped network that the pictures attack and train."""
PHOTOGRAPH, OTHER_PHOTOGRAPH = "china.jpg", "flower.jpg"
CREDIT = "photograph by [danielbuechele](https://www.flickr.com/photos/danielbuechele/6061409035/), CC BY 2.0"
OTHER_CREDIT = "photograph by [vultilion](https://www.flickr.com/photos/vultilion/6056698931/), CC BY 2.0"
"""Whom scikit-learn names for its two photographs."""


class Digits(NamedTuple):
    """Some digits and their classes."""

    images: Tensor
    """float32 in [0, 1], shape (N, 3, 32, 32)."""
    labels: Tensor


def digits(split: str, count: int, *, distinct: bool = True) -> Digits:
    """Return the first digits of a split, in order.

    Args:
        split: Name of the split.
        count: Number of digits.
        distinct: Take the first digit of each class only.
    """
    from robustbench_eff.benchmarks.definitions.digits import open_digits

    opened = open_digits(split)  # type: ignore[arg-type]
    first = {label: position for position, label in reversed(list(enumerate(map(int, opened.labels))))}
    positions = (sorted(first.values()) if distinct else list(range(count)))[:count]
    pixels = torch.from_numpy(np.stack([opened.read(position) for position in positions]))
    labels = torch.tensor([int(opened.labels[position]) for position in positions])
    return Digits(pixels.permute(0, 3, 1, 2).float() / 255, labels)


@cache
def network() -> Classifier:
    """Return the network that the pictures are about."""
    from robustbench_eff import load_classifier

    return load_classifier(NETWORK)


def photograph(name: str, side: int) -> Tensor:
    """Return the middle of a photograph that scikit-learn brings, uint8 (side, side, 3).

    Args:
        name: File name.
        side: Side in pixels; the photograph is resized so that it just covers this.
    """
    picture = whole_photograph(name)
    scale = side / min(picture.size)
    small = picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.LANCZOS)
    left, top = (small.width - side) // 2, (small.height - side) // 2
    return torch.from_numpy(np.array(small.crop((left, top, left + side, top + side))))


def whole_photograph(name: str) -> Image.Image:
    """Return a photograph that scikit-learn brings.

    Args:
        name: File name.
    """
    package = find_spec("sklearn")  # importing it takes seconds
    assert package is not None and package.origin is not None
    return Image.open(Path(package.origin).parent / "datasets" / "images" / name).convert("RGB")
