"""L1 steps: of equal length on the few coordinates with the largest gradient."""

from __future__ import annotations

import torch

from robustbench_eff.core.types import Images, PerSample


def sparse_sign(gradient: Images, fraction: float | PerSample) -> Images:
    """Return the gradient's sign on its largest coordinates, scaled to L1 length 1.

    Coordinates that tie with the smallest selected one are selected too. Where the whole gradient is zero, so is the
    step.

    Args:
        gradient: Gradient of each sample's loss with respect to its pixels.
        fraction: Fraction of the coordinates to select, in [0, 1], for all samples or for each; at least one
            coordinate is selected.
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
