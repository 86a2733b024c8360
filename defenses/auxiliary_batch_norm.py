"""A network with auxiliary sets of batch norms, one for each kind of images with statistics of its own.

The network itself is not changed. An auxiliary set is a copy of the parameters and statistics of all batch norms, which
`functional_call` substitutes for a forward pass. So nothing has to be converted, the network can be saved as it is, and
a batch need not be split evenly, as timm's SplitBatchNorm requires.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm

from robustbench_eff.core.errors import ModelError

MAIN = 0
"""The branch with the network's own batch norms."""


class WithAuxiliary(nn.Module):
    """A network and auxiliary sets of its batch norms.

    Source: Xie et al. 2020, arXiv:1911.09665, section 4.1.
    """

    def __init__(self, main: nn.Module, count: int = 1) -> None:
        """Copy the batch norms.

        Args:
            main: The network.
            count: Number of auxiliary sets, each of which starts as a copy of the network's own batch norms.

        Raises:
            ModelError: The network does not have batch norms.
        """
        super().__init__()
        self.main = main
        norms = {name: module for name, module in main.named_modules() if isinstance(module, _BatchNorm)}
        if not norms:
            raise ModelError(
                "Auxiliary batch norms need a network with batch norms; there are no batch norms in this one.",
                "Choose another architecture; advprop and debiased also take auxiliary=False.",
            )
        self._tensor_names = [
            f"{path}.{name}" if path else name
            for path, norm in norms.items()
            for name in norm.state_dict()
            if name in dict(norm.named_parameters(recurse=False)) | dict(norm.named_buffers(recurse=False))
        ]
        tensors = dict(main.named_parameters()) | dict(main.named_buffers())
        self.sets = nn.ModuleList(_NormSet([tensors[name] for name in self._tensor_names]) for _ in range(count))

    def forward(self, images: Tensor, branch: int = MAIN) -> Tensor:
        """Return the logits.

        Args:
            images: Normalized images.
            branch: 0 for the network's own batch norms, n for auxiliary set n.
        """
        if branch == MAIN:
            logits: Tensor = self.main(images)
        else:
            logits = functional_call(self.main, self.norms(branch), (images,))
        return logits

    def norms(self, branch: int) -> dict[str, Tensor]:
        """Return the tensors of an auxiliary set by their names in the network.

        Args:
            branch: Number of the auxiliary set, from 1.
        """
        norm_set = self.sets[branch - 1]
        assert isinstance(norm_set, _NormSet)
        return dict(zip(self._tensor_names, norm_set.tensors(), strict=True))


class _NormSet(nn.Module):
    """Copies of tensors: parameters stay parameters, and statistics stay buffers."""

    def __init__(self, originals: list[Tensor]) -> None:
        super().__init__()
        self._names = []
        for position, tensor in enumerate(originals):
            copied, name = tensor.detach().clone(), f"tensor_{position}"
            if isinstance(tensor, nn.Parameter):
                self.register_parameter(name, nn.Parameter(copied, requires_grad=tensor.requires_grad))
            else:
                self.register_buffer(name, copied)
            self._names.append(name)

    def tensors(self) -> list[Tensor]:
        return [getattr(self, name) for name in self._names]


def main_network(trained: nn.Module) -> nn.Module:
    """Return the network without its auxiliary batch norms.

    Args:
        trained: A `WithAuxiliary`, or a plain network, which is returned unchanged.
    """
    return trained.main if isinstance(trained, WithAuxiliary) else trained


def scale_gradients(module: nn.Module, factor: float) -> None:
    """Multiply all future gradients of a module's parameters by a factor.

    Args:
        module: The module whose parameters get a hook.
        factor: The factor.
    """
    for parameter in module.parameters():
        parameter.register_hook(lambda gradient: torch.mul(gradient, factor))
