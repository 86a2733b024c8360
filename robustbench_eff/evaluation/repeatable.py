"""What a network draws at random while a shard is evaluated is the same in every run with the same shards."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from torch import nn

from robustbench_eff.models.randomness import seeded

from .plan import CellRuntime, Task


def repeatable(runtime: CellRuntime, task: Task) -> AbstractContextManager[None]:
    """Return a context in which everything that the networks of a shard draw from is seeded.

    Args:
        runtime: The cell.
        task: The shard.
    """
    networks = [runtime.classifier, *([] if runtime.queried.surrogate is None else [runtime.queried.surrogate])]
    if not (runtime.votes or any(network.draws for network in networks)):
        return nullcontext()
    name = f"{task.cell.id} {task.rows.tolist()}"
    return seeded(nn.ModuleList(networks), task.cell.seed or 0, name, runtime.classifier.mean.device)
