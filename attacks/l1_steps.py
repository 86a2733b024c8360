"""Steps in L1: equal length on the few coordinates where the gradient is largest."""

from __future__ import annotations

import torch

from robustbench_eff.core.types import Images, PerSample


def sparse_sign(gradient: Images, fraction: float | PerSample) -> Images:
    """The sign of the gradient on its largest `fraction` of coordinates (at least one), of L1 length 1.

    Coordinates equal to the smallest that is taken are taken too; where the gradient is zero the step is.
    """
    flat = gradient.flatten(1).abs()
    size = flat.shape[1]
    if isinstance(fraction, torch.Tensor):
        last = size - 1 - ((1 - fraction) * size).long().clamp(0, size - 1)
        smallest = flat.topk(int(last.max()) + 1, 1).values.gather(1, last[:, None])
    else:
        count = max(1, size - int((1 - fraction) * size))
        smallest = flat.topk(count, 1, sorted=False).values.amin(1, keepdim=True)
    sign = gradient.sign() * (flat >= smallest).view_as(gradient)
    return sign / sign.abs().sum((1, 2, 3), keepdim=True).clamp_min(1)
