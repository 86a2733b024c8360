"""Batch norms that normalise with the mean and variance of the batch instead of those of training."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm

from robustbench_eff.core.errors import ModelError


def use_batch_statistics(network: nn.Module) -> list[BatchNorm]:
    """Make every batch norm of a network in eval mode use the statistics of the batch; return the batch norms.

    Args:
        network: Network to change.

    Raises:
        ModelError: The network has no batch norm.
    """
    norms = [module for module in network.modules() if isinstance(module, BatchNorm)]
    if not norms:
        raise ModelError(
            f"{type(network).__name__} has no batch norm whose statistics could be adapted.",
            "A compiled, quantised or folded network hides its batch norms: use the plain PyTorch module. A network "
            "that adapts by itself is evaluated with --adapt 'batches(size=N, reset=never)'.",
        )
    for norm in norms:
        norm.track_running_stats = False
        norm.running_mean = norm.running_var = None
    return norms
