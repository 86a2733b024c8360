"""Operations of a network are those that torch counts, and those of networks that torch's counter refuses."""

from __future__ import annotations

import timm
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from robustbench_eff.models.operations import count_operations


class Purifies(nn.Module):
    """Follows a gradient of its own before it answers."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(12, 3)

    def forward(self, images: Tensor) -> Tensor:
        flat = images.flatten(1)
        with torch.enable_grad():
            moved = flat.detach().requires_grad_(True)
            (slope,) = torch.autograd.grad(self.body(moved).square().sum(), moved)
        return self.body(flat - slope)


def test_they_are_those_that_torch_counts() -> None:
    network, images = timm.create_model("vit_tiny_patch16_224", depth=2).eval(), torch.zeros(1, 3, 224, 224)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(images)
    assert count_operations(network, images) == counter.get_total_flops() > 1e8


def test_a_gradient_inside_of_the_network_is_counted_too() -> None:
    product = 2 * 12 * 3
    assert count_operations(Purifies().eval(), torch.ones(1, 3, 2, 2)) == 3 * product
