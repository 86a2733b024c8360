"""Smooth adversarial training: no kink is left, and gradients alone can be smooth."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as functional
from torch import nn

from robustbench_eff.core.activations import (
    SMOOTH,
    SmoothReLU,
    build_activation,
    nonsmooth_ops,
    replace_activations,
    smooth_activations,
)
from robustbench_eff.core.errors import ModelError, SpecError
from robustbench_eff.defenses.sat import SmoothAdversarialTraining, SmoothBackwardReLU
from robustbench_eff.models import architectures
from trainings import a_batch, network, small_net

ROUGH = (
    "timm:resnet18",
    "timm:mobilenetv2_050",
    "timm:mobilenetv3_small_050",
    "timm:ghostnet_050",
    "torchvision:vgg11_bn",
    "torchvision:mobilenet_v3_small",
)


@pytest.mark.parametrize("name", ROUGH)
def test_no_kink_is_left_in_real_architectures(name: str) -> None:
    module, images = architectures.build(name, 10), torch.rand(1, 3, 64, 64)
    assert nonsmooth_ops(module, images)
    smooth_activations(module, "silu")
    assert not nonsmooth_ops(module, images)
    left = {type(part).__name__ for part in module.modules()}
    assert not left & {"ReLU", "ReLU6", "Hardswish", "HardSwish", "Hardsigmoid", "HardSigmoid"}


@pytest.mark.parametrize("name", SMOOTH)
def test_a_smooth_activation_has_a_continuous_gradient(name: str) -> None:
    activation = build_activation(name).double()
    around = torch.linspace(-1e-3, 1e-3, 201, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(activation(around).sum(), around)
    assert gradient.diff().abs().max() < 0.01
    points = torch.linspace(-3, 3, 50, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(activation, points)


def test_relu_would_be_found() -> None:
    around = torch.linspace(-1e-3, 1e-3, 201, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(torch.relu(around).sum(), around)
    assert gradient.diff().abs().max() == 1
    assert nonsmooth_ops(nn.ReLU(), torch.rand(1, 3, 2, 2)) == {"ReluBackward0"}


def test_smooth_relu_is_the_papers_and_learns_its_sharpness() -> None:
    activation, points = SmoothReLU(), torch.tensor([-1.0, 0.0, 0.5, 2.0])
    expected = torch.tensor(
        [0, 0, 0.5 - torch.log(torch.tensor(201.0)) / 400, 2 - torch.log(torch.tensor(801.0)) / 400]
    )
    torch.testing.assert_close(activation(points), expected)
    activation(points).sum().backward()
    assert activation.root.grad is not None and activation.root.grad != 0


def test_a_kink_that_is_no_module_is_found_afterwards() -> None:
    class Hidden(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.act = nn.Conv2d(3, 4, 3), nn.ReLU()

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return functional.relu(self.act(self.first(images))).mean((2, 3))

    hidden = Hidden()
    smooth_activations(hidden, "gelu")
    assert nonsmooth_ops(hidden, torch.rand(1, 3, 8, 8)) == {"ReluBackward0"}


def test_what_is_smooth_already_is_refused() -> None:
    with pytest.raises(ModelError, match="not contain an activation with a kink"):
        smooth_activations(architectures.build("effnet_micro", 10), "silu")
    with pytest.raises(SpecError, match="not smooth"):
        smooth_activations(small_net(), "relu")


def test_training_prepares_the_architecture_that_its_card_will_name() -> None:
    recipe = SmoothAdversarialTraining(activation="gelu")
    prepared, rebuilt = recipe.prepare(small_net()), small_net()
    smooth_activations(rebuilt, "gelu")
    assert repr(prepared) == repr(rebuilt)
    assert recipe.export(prepared) is prepared


@pytest.mark.parametrize("where", ["backward", "attacker", "update"])
def test_with_smooth_gradients_alone_the_outputs_are_those_of_relu(where: str) -> None:
    recipe, images = SmoothAdversarialTraining(where=where), torch.rand(5, 3, 32, 32)
    plain, prepared = small_net().eval(), recipe.prepare(small_net()).eval()
    assert torch.equal(prepared(images), plain(images))
    kept = recipe.export(prepared)
    assert repr(kept) == repr(plain) and torch.equal(kept(images), plain(images))
    assert any(isinstance(part, SmoothBackwardReLU) for part in prepared.modules())


@pytest.mark.parametrize(
    ("where", "attacked", "updated"),
    [("backward", True, True), ("attacker", True, False), ("update", False, True)],
)
def test_the_gradient_is_smooth_where_it_is_said_to_be(where: str, attacked: bool, updated: bool) -> None:
    """Seen by the state of the activations in every forward pass."""
    recipe = SmoothAdversarialTraining(where=where)
    module, seen = recipe.prepare(small_net()), []
    part = next(part for part in module.modules() if isinstance(part, SmoothBackwardReLU))
    part.register_forward_hook(lambda part, *_: seen.append((part.training, part.smooth)))
    list(recipe.losses(network(module), a_batch()))
    assert seen == [(False, attacked), (True, updated)]


def test_a_smooth_gradient_is_that_of_the_smooth_activation() -> None:
    inputs = torch.linspace(-2, 2, 9).requires_grad_()
    (found,) = torch.autograd.grad(SmoothBackwardReLU(nn.SiLU())(inputs).sum(), inputs)
    (expected,) = torch.autograd.grad(functional.silu(inputs).sum(), inputs)
    torch.testing.assert_close(found, expected)


def test_a_step_is_at_least_eps_over_steps() -> None:
    """A single step from anywhere in the cube can reach its other side only if it is that long."""
    recipe, batch = SmoothAdversarialTraining(eps=0.1, steps=1, step_size=0.001, clean_start=1), a_batch()
    seen: list[torch.Tensor] = []
    module = small_net()
    prepared = recipe.prepare(module)
    prepared.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach() * 0.5 + 0.5))
    list(recipe.losses(network(prepared), batch))
    torch.testing.assert_close(seen[0], batch.images)
    moved = (seen[1] - batch.images).abs()
    free = (batch.images > 0.1) & (batch.images < 0.9)
    assert moved[free].median() == pytest.approx(0.1, abs=1e-5)


def test_replacing_says_how_many() -> None:
    assert replace_activations(small_net(), nn.SiLU) == 5
