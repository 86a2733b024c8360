"""A network with further sets of batch norms: one for each kind of images that is not to disturb the others.

The network itself stays as it is; a further set is the parameters and statistics of all its batch norms once more, put
in their place for a forward pass by `functional_call`. So nothing is converted, what is kept at the end is the network,
and a batch need not be split evenly, as timm's SplitBatchNorm wants it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm

from robustbench_eff.core.errors import ModelError

MAIN = 0


class WithAuxiliary(nn.Module):
    """`main`, and `count` further sets of its batch norms, which begin as copies of its own.

    Source: Xie et al. 2020, arXiv:1911.09665, section 4.1. Raises ModelError for a network without batch norms.
    """

    def __init__(self, main: nn.Module, count: int = 1) -> None:
        super().__init__()
        self.main = main
        norms = {name: module for name, module in main.named_modules() if isinstance(module, _BatchNorm)}
        if not norms:
            raise ModelError(
                "The network has no batch norms, so there is nothing that adversarial images could have of their own.",
                "Use a network with batch norms; advprop and debiased also take auxiliary=False.",
            )
        self._places = [
            f"{place}.{name}" if place else name
            for place, norm in norms.items()
            for name in norm.state_dict()
            if name in dict(norm.named_parameters(recurse=False)) | dict(norm.named_buffers(recurse=False))
        ]
        tensors = dict(main.named_parameters()) | dict(main.named_buffers())
        self.sets = nn.ModuleList(_NormSet([tensors[place] for place in self._places]) for _ in range(count))

    def forward(self, images: Tensor, branch: int = MAIN) -> Tensor:
        """Through the network's own batch norms, or through set `branch`, from 1."""
        if branch == MAIN:
            logits: Tensor = self.main(images)
        else:
            logits = functional_call(self.main, self.norms(branch), (images,))
        return logits

    def norms(self, number: int) -> dict[str, Tensor]:
        """Set `number`, from 1, by the names that its tensors have in the network."""
        chosen = self.sets[number - 1]
        assert isinstance(chosen, _NormSet)
        return dict(zip(self._places, chosen.tensors(), strict=True))


class _NormSet(nn.Module):
    """Copies of tensors: parameters stay parameters, statistics buffers."""

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


def main_of(trained: nn.Module) -> nn.Module:
    """The network without its further batch norms, if it has any."""
    return trained.main if isinstance(trained, WithAuxiliary) else trained


def weighted_gradients(module: nn.Module, factor: float) -> None:
    """Multiply every gradient of the module's parameters by `factor` when it comes."""
    for parameter in module.parameters():
        parameter.register_hook(lambda gradient: torch.mul(gradient, factor))
