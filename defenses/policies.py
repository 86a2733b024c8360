"""torchvision's augmentation policies, applied image by image with random numbers that belong to the sample."""

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
"""Maps a PIL picture to a PIL picture."""


def policy(name: str, **options: Any) -> Policy:
    """Return one of torchvision's augmentation policies.

    Args:
        name: `randaugment`; `autoaugment`, with the policy for CIFAR-10 up to 64 pixels and the one for ImageNet
            above; or `augmix`, without the operations that ImageNet-C shares.
        options: Arguments of torchvision's transform.

    Raises:
        SpecError: The name is unknown.

    Source:
        `randaugment`: Cubuk et al. 2020, arXiv:1909.13719. `autoaugment`: Cubuk et al. 2019, arXiv:1805.09501.
        `augmix`: Hendrycks et al. 2020, arXiv:1912.02781.
    """
    from torchvision.transforms import v2

    match name:
        case "randaugment":
            transform: Policy = v2.RandAugment(**options)
        case "autoaugment":
            small, large = (v2.AutoAugment(v2.AutoAugmentPolicy(which)) for which in ("cifar10", "imagenet"))
            return lambda picture: (small if picture.width <= 64 else large)(picture)
        case "augmix":
            transform = v2.AugMix(all_ops=False, **options)
        case _:
            raise SpecError(f"Unknown policy {name!r}.", "Known: autoaugment, randaugment, augmix.")
    return transform


def augmented(batch: Batch, change: Policy, stream: str) -> Images:
    """Return the images of a batch, each augmented as an 8-bit picture.

    Args:
        batch: Images in [0, 1] and the random numbers of the step.
        change: The policy to apply.
        stream: Name of the purpose; different names give independent random numbers.
    """
    levels = (batch.images * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    first = batch.local_slice.start or 0
    changed = []
    with rng.global_generators(batch.seed, f"{stream}/{batch.step}"):
        for position, pixels in enumerate(levels, first):
            rng.restart(batch.seed, f"{stream}/{batch.step}/{position}")
            changed.append(np.asarray(change(Image.fromarray(pixels))))
    stacked = torch.from_numpy(np.stack(changed)).to(batch.images.device)
    return stacked.permute(0, 3, 1, 2).float() / 255
