"""Batch size, shard size and precision, chosen from the image size and the device."""

from __future__ import annotations

import torch

from robustbench_eff.attacks.reduced_precision import Precision, has_fast_float16
from robustbench_eff.models.classifier import Classifier
from robustbench_eff.system.devices import SMALL_IMAGE

LEAST_OF_A_SHARD = 16
"""Samples that are worked off together, however large."""


WORTH_FLOAT16 = 20e6
"""Floating-point operations of a forward pass from which float16 is asked; smaller networks are fast as they are, and
in float32 their attacks find the same on every machine."""


def batch_size(image_size: int, device: str) -> int:
    """How many images are classified at once when the user does not say."""
    small = image_size <= SMALL_IMAGE
    if device.startswith("cuda"):
        return 512 if small else 64
    return 64 if small else 16


def shard_size(image_size: int, device: str) -> int:
    """How many samples are worked off together: many, so that the last survivors still fill batches, but fewer of large
    images, of which an attack holds a dozen copies or more."""
    most, of_224 = (1024, 256) if device.startswith("cuda") else (256, 64)
    return min(most, max(LEAST_OF_A_SHARD, of_224 * 224**2 // image_size**2))


def precision(classifier: Classifier, device: str) -> Precision:
    """float16 where the hardware has units for it and the network is large enough to be worth it."""
    fast = has_fast_float16(torch.device(device)) and classifier.flops >= WORTH_FLOAT16
    return "float16" if fast else "float32"
