"""Images that go one by one through a library in C, which lets other threads run meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from robustbench_eff.core.types import Pixels


def one_by_one(change: Callable[[Tensor], Tensor], pixels: Pixels) -> Pixels:
    """`change` of every image, on a CPU, with as many threads as torch would use."""
    source = pixels.cpu()
    out = torch.empty_like(source).numpy()  # threads of torch's own would be in each other's way

    def work(image: int) -> None:
        out[image] = change(source[image]).numpy()

    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        for _ in pool.map(work, range(len(source))):
            pass
    return torch.from_numpy(out).to(pixels.device)
