"""Augmentation policies of torchvision, image by image, with draws that belong to the sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import torch
from PIL import Image

from robustbench_eff.core import rng
from robustbench_eff.core.errors import SpecError
from robustbench_eff.core.types import Images

from .training_batch import Batch

Policy: TypeAlias = Callable[[Any], Any]
"""A picture to a picture."""


def policy(name: str, **options: Any) -> Policy:
    """torchvision's transform of that name; SpecError for another one.

    `randaugment`: Cubuk et al. 2020, arXiv:1909.13719. `autoaugment`: the CIFAR-10 or, above 64 pixels, the ImageNet
    policy of Cubuk et al. 2019, arXiv:1805.09501. `augmix`: Hendrycks et al. 2020, arXiv:1912.02781, without the
    operations that ImageNet-C has too.
    """
    from torchvision.transforms import v2

    match name:
        case "randaugment":
            made: Policy = v2.RandAugment(**options)
        case "autoaugment":
            small, large = (v2.AutoAugment(v2.AutoAugmentPolicy(which)) for which in ("cifar10", "imagenet"))
            return lambda picture: (small if picture.width <= 64 else large)(picture)
        case "augmix":
            made = v2.AugMix(all_ops=False, **options)
        case _:
            raise SpecError(f"Unknown policy {name!r}.", "Known: autoaugment, randaugment, augmix.")
    return made


def augmented(batch: Batch, change: Policy, stream: str) -> Images:
    """The batch's images, each changed as 8-bit picture by draws of its own."""
    levels = (batch.images * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    first = batch.part.start or 0
    changed = []
    with rng.global_generators(batch.seed, f"{stream}/{batch.step}"):
        for place, pixels in enumerate(levels, first):
            rng.restart(batch.seed, f"{stream}/{batch.step}/{place}")
            changed.append(np.asarray(change(Image.fromarray(pixels))))
    stacked = torch.from_numpy(np.stack(changed)).to(batch.images.device)
    return stacked.permute(0, 3, 1, 2).float() / 255
