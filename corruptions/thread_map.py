"""Images processed one by one in threads by a C library that releases the GIL."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from robustbench_eff.core.types import Pixels


def one_by_one(change: Callable[[Tensor], Tensor], pixels: Pixels) -> Pixels:
    """Apply a function to every image on the CPU, in as many threads as torch uses.

    Args:
        change: Maps one uint8 image (H, W, 3) to an image of the same shape.
        pixels: Images on any device.

    Returns:
        Changed images on the device of `pixels`.
    """
    source = pixels.cpu()
    out = torch.empty_like(source).numpy()  # writing by NumPy avoids threads of torch within ours

    def work(index: int) -> None:
        out[index] = change(source[index]).numpy()

    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        for _ in pool.map(work, range(len(source))):
            pass
    return torch.from_numpy(out).to(pixels.device)
