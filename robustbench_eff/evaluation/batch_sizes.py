"""Default batch size, shard size and precision, chosen from the image size and the device."""

from __future__ import annotations

import torch

from robustbench_eff.attacks.reduced_precision import (
    Precision,
    has_fast_bfloat16,
    has_fast_float16,
    is_slow_in_16_bits,
)
from robustbench_eff.models.classifier import Classifier
from robustbench_eff.system.devices import SMALL_IMAGE

MIN_SHARD_SIZE = 16
"""Smallest shard, however large the images are."""
MIN_FLOPS_FOR_16_BITS = 20e6
"""Floating-point operations per forward pass from which on attacks query in 16 bits. Smaller networks are fast enough
in float32, in which their attacks find the same images on every machine."""


def batch_size(image_size: int, device: str) -> int:
    """Return the default number of images per forward pass.

    Args:
        image_size: Side of the model's input in pixels.
        device: Name of the device, such as `cpu` or `cuda:0`.
    """
    small = image_size <= SMALL_IMAGE
    if device.startswith("cuda"):
        return 512 if small else 64
    return 64 if small else 16


def shard_size(image_size: int, device: str) -> int:
    """Return the default number of samples per shard.

    A shard is large, so that the few samples that survive an attack longest still fill batches, but smaller for large
    images, of which an attack holds a dozen copies or more.

    Args:
        image_size: Side of the model's input in pixels.
        device: Name of the device, such as `cpu` or `cuda:0`.
    """
    largest, at_224_pixels = (1024, 256) if device.startswith("cuda") else (256, 64)
    return min(largest, max(MIN_SHARD_SIZE, at_224_pixels * 224**2 // image_size**2))


def precision(classifier: Classifier, device: str) -> Precision:
    """Return the precision of queries: 16 bits if the device is fast at them and the network large enough to benefit.

    float16 where both are fast, because its rounding is finer; see `Copies` for what bfloat16 answers. Networks with
    strided depthwise convolutions, such as MobileNets, gain too little from bfloat16 and stay in float32.

    Args:
        classifier: Model that attacks query.
        device: Name of the device, such as `cpu` or `cuda:0`.
    """
    if classifier.flops < MIN_FLOPS_FOR_16_BITS:
        return "float32"
    where = torch.device(device)
    if has_fast_float16(where):
        return "float16"
    gains = has_fast_bfloat16(where) and not any(is_slow_in_16_bits(layer) for layer in classifier.modules())
    return "bfloat16" if gains else "float32"
