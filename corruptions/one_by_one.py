"""Work that a library does on one image at a time, shared out to threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from robustbench_eff.types import Pixels


def one_by_one(function: Callable[[Tensor], Tensor], pixels: Pixels) -> Pixels:
    """`function` of every image (H, W, 3) on the CPU, by as many threads as torch would use; on the device again."""
    images = pixels.cpu()
    with ThreadPoolExecutor(max(1, torch.get_num_threads())) as threads:
        changed = torch.stack(list(threads.map(function, images)))
    return changed.to(pixels.device)
