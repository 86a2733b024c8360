"""Several processes that train one network: `torchrun --nproc-per-node N`, or this one alone.

Gradients are averaged after the backward passes of a step. torch's DistributedDataParallel would do so meanwhile, but
its hooks count on one forward and one backward of all parameters, which many recipes do not have.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as distributed
from torch import Tensor

from robustbench_eff.core.errors import UsageError


@dataclass(frozen=True, slots=True)
class Processes:
    """Which process this is, of how many."""

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the one that writes and prints."""
        return self.rank == 0

    def part(self, total: int) -> slice:
        """The samples of a step that are this process's; UsageError where they cannot be dealt out."""
        if total % self.count:
            raise UsageError(f"A batch of {total} cannot be dealt to {self.count} processes.", "Choose a multiple.")
        size = total // self.count
        return slice(self.rank * size, (self.rank + 1) * size)

    def average(self, tensors: Iterable[Tensor | None]) -> None:
        """Replace every tensor by its mean over processes, in place."""
        present = [tensor for tensor in tensors if tensor is not None]
        if self.count == 1 or not present:
            return
        flat = torch.cat([tensor.flatten() for tensor in present])
        distributed.all_reduce(flat)
        flat /= self.count
        for tensor, mean in zip(present, flat.split([tensor.numel() for tensor in present]), strict=True):
            tensor.copy_(mean.view_as(tensor))

    def shared(self, value: Any) -> Any:
        """What the first process says."""
        if self.count == 1:
            return value
        box = [value]
        distributed.broadcast_object_list(box, src=0)
        return box[0]


@contextmanager
def process_group(device: str) -> Iterator[Processes]:
    """The processes that torchrun started, for as long as they train; this one alone where it did not."""
    if "RANK" not in os.environ:
        yield Processes()
        return
    if device.startswith("cuda"):
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield Processes(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()
