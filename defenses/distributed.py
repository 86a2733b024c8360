"""Several processes that train one network: `torchrun --nproc-per-node N`, or this process alone.

Gradients are averaged after the backward passes of a step. torch's DistributedDataParallel would overlap the two, but
its hooks expect exactly one forward and one backward pass of all parameters, which many recipes do not have.
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
    """The rank of this process, and the number of processes."""

    rank: int = 0
    """Number of this process, from 0."""
    count: int = 1
    """Number of processes."""

    @property
    def first(self) -> bool:
        """True for the process that validates, writes files and reports progress."""
        return self.rank == 0

    def local_slice(self, total: int) -> slice:
        """Return the samples of a step that belong to this process.

        Args:
            total: Samples of the step, over all processes.

        Raises:
            UsageError: `total` is not a multiple of the number of processes.
        """
        if total % self.count:
            raise UsageError(
                f"A batch of {total} cannot be divided among {self.count} processes.", "Choose a multiple."
            )
        size = total // self.count
        return slice(self.rank * size, (self.rank + 1) * size)

    def average(self, tensors: Iterable[Tensor | None]) -> None:
        """Replace every tensor by its mean over all processes, in place.

        Args:
            tensors: Floating-point tensors, in the same order in every process; None entries are skipped.
        """
        present = [tensor for tensor in tensors if tensor is not None]
        if self.count == 1 or not present:
            return
        flat = torch.cat([tensor.flatten() for tensor in present])
        distributed.all_reduce(flat)
        flat /= self.count
        for tensor, mean in zip(present, flat.split([tensor.numel() for tensor in present]), strict=True):
            tensor.copy_(mean.view_as(tensor))

    def broadcast(self, value: Any) -> Any:
        """Return the first process's value in every process.

        Args:
            value: An object that can be pickled; ignored in all processes but the first.
        """
        if self.count == 1:
            return value
        box = [value]
        distributed.broadcast_object_list(box, src=0)
        return box[0]


@contextmanager
def process_group(device: str) -> Iterator[Processes]:
    """Join the process group that torchrun started; without torchrun, this process is alone.

    Args:
        device: Device of this process; CUDA devices communicate over NCCL, all others over gloo.
    """
    if "RANK" not in os.environ:
        yield Processes()
        return
    # This module binds the group that exists when it is first imported, as a default argument. If that happened during
    # training, the group and its threads would outlive destroy_process_group, and a thread that still runs while the
    # interpreter exits can abort the process.
    import torch.distributed.nn.functional

    if device.startswith("cuda"):
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield Processes(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()
