"""AdvProp: which images meet which batch norms, and what is kept."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as functional
from torch import nn

from robustbench_eff.core.errors import ModelError
from robustbench_eff.defenses.advprop import AdvProp
from robustbench_eff.defenses.auxiliary_batch_norm import WithAuxiliary
from robustbench_eff.defenses.fast_advprop import FastAdvProp
from robustbench_eff.defenses.trainer import train
from robustbench_eff.models import architectures
from robustbench_eff.registry import build_defense
from trainings import a_batch, digits, network, small_net, training

EPS = 8 / 255


def branch_alone(prepared: WithAuxiliary) -> nn.Module:
    """A plain network with the auxiliary norms."""
    network = copy.deepcopy(prepared.main)
    network.load_state_dict({**network.state_dict(), **prepared.norms(1)})
    return network


class Watched:
    """Which images went through which branch in which mode."""

    def __init__(self, prepared: WithAuxiliary) -> None:
        self.seen: list[tuple[int, bool, torch.Tensor]] = []
        prepared.register_forward_pre_hook(self._note, with_kwargs=True)

    def _note(self, module: nn.Module, inputs: tuple[torch.Tensor, ...], options: dict[str, int]) -> None:
        self.seen.append((options.get("branch", 0), module.training, inputs[0].detach() * 0.5 + 0.5))


def run(recipe: AdvProp | FastAdvProp, module: nn.Module):
    prepared, batch = recipe.prepare(module), a_batch()
    watched = Watched(prepared)
    for loss in recipe.losses(network(prepared), batch):
        loss.backward()
    return prepared, batch, watched.seen


def test_the_attack_runs_through_the_auxiliary_norms_in_eval_mode_and_clean_images_through_the_main_ones() -> None:
    _, batch, seen = run(AdvProp(eps=EPS, steps=3), small_net())
    assert [(branch, training) for branch, training, _ in seen] == [(1, False)] * 3 + [(0, True), (1, True)]
    torch.testing.assert_close(seen[3][2], batch.images)
    moved = (seen[4][2] - batch.images).abs()
    assert 0 < moved.max() <= EPS + 1e-6


def test_auxiliary_statistics_move_by_adversarial_images_alone_and_main_ones_by_clean_images_alone() -> None:
    module = small_net()
    alone = copy.deepcopy(module).train()
    prepared, batch, seen = run(AdvProp(eps=EPS, steps=2), module)
    alone((batch.images - 0.5) / 0.5)
    for name, buffer in alone.named_buffers():
        torch.testing.assert_close(dict(prepared.main.named_buffers())[name], buffer)
    other = small_net().train()
    other((seen[-1][2] - 0.5) / 0.5)
    for name, buffer in other.named_buffers():
        torch.testing.assert_close(dict(branch_alone(prepared).named_buffers())[name], buffer)


def test_the_attack_climbs_the_auxiliary_branch() -> None:
    """A branch whose scales are turned round has the opposite gradient at the logits' layer."""
    prepared = WithAuxiliary(small_net())
    with torch.no_grad():
        for tensor in prepared.sets[0].parameters():
            tensor.mul_(-1)
    batch, subject = a_batch(), network(prepared)
    recipe = AdvProp(eps=EPS, steps=1, step_size=EPS)
    watched, branch = Watched(prepared), branch_alone(prepared).eval()
    list(recipe.losses(subject, batch))
    start, adversarial = watched.seen[0][2].requires_grad_(), watched.seen[-1][2]
    loss = functional.cross_entropy(branch((start - 0.5) / 0.5), batch.labels, reduction="sum")
    (gradient,) = torch.autograd.grad(loss, start)
    inside = ((start + EPS * gradient.sign() - batch.images).abs() < EPS) & (batch.images > EPS) & (gradient != 0)
    inside &= batch.images < 1 - EPS
    went = (adversarial - start).sign()
    assert inside.any() and torch.equal(went[inside], gradient.sign()[inside])


@pytest.mark.parametrize("name", ["small_cnn", "effnet_micro", "timm:densenet121", "timm:mobilenetv2_050"])
def test_what_is_kept_is_the_network_itself_with_the_outputs_of_the_main_branch(name: str) -> None:
    module, images = architectures.build(name, 10), torch.rand(2, 3, 32, 32)
    keys, before = list(module.state_dict()), module(images)
    prepared = AdvProp().prepare(module).eval()
    torch.testing.assert_close(prepared(images), before, rtol=0, atol=0)
    torch.testing.assert_close(prepared(images, branch=1), before)
    kept = AdvProp().export(prepared)
    assert list(kept.state_dict()) == keys
    assert torch.equal(kept(images), prepared(images))


def test_gradients_are_those_of_a_plain_copy_with_the_auxiliary_norms() -> None:
    prepared, images = WithAuxiliary(small_net()), torch.rand(6, 3, 32, 32)
    with torch.no_grad():
        for tensor in prepared.sets[0].parameters():
            tensor.add_(0.3)
    plain = branch_alone(prepared).train()
    prepared.train()(images, branch=1).square().sum().backward()
    plain(images).square().sum().backward()
    assert prepared.main.classifier.weight.grad is not None
    torch.testing.assert_close(prepared.main.classifier.weight.grad, plain.classifier.weight.grad)
    torch.testing.assert_close(prepared.main.features[0][0].weight.grad, plain.features[0][0].weight.grad)
    assert prepared.main.features[0][1].weight.grad is None
    norms = [norm for norm in plain.modules() if isinstance(norm, nn.BatchNorm2d)]
    expected = [parameter.grad for norm in norms for parameter in (norm.weight, norm.bias)]
    for found, wanted in zip([item.grad for item in prepared.sets[0].parameters()], expected, strict=True):
        torch.testing.assert_close(found, wanted)


def test_fine_grained_advprop_has_a_third_set_for_augmented_images() -> None:
    _, batch, seen = run(AdvProp(eps=EPS, steps=1, augmentation="autoaugment"), small_net())
    assert [(branch, training) for branch, training, _ in seen] == [(1, False), (0, True), (1, True), (2, True)]
    assert (seen[3][2] - batch.images).abs().max() > EPS


@pytest.mark.parametrize("images", ["noise", "copy"])
def test_controls_attack_nothing(images: str) -> None:
    _, batch, seen = run(AdvProp(eps=EPS, images=images), small_net())
    assert [(branch, training) for branch, training, _ in seen] == [(0, True), (1, True)]
    difference = (seen[1][2] - batch.images).abs().max()
    assert difference <= 1e-6 if images == "copy" else 0.9 * EPS < difference <= EPS + 1e-6


def test_with_a_single_set_of_norms_nothing_is_wrapped() -> None:
    module = small_net()
    assert AdvProp(auxiliary=False).prepare(module) is module


def test_a_network_without_batch_norms_is_refused() -> None:
    with pytest.raises(ModelError, match="no batch norms"):
        AdvProp().prepare(nn.Conv2d(3, 3, 1))


def test_fast_advprop_gives_each_parameter_the_mean_over_the_weighted_samples_that_touched_it() -> None:
    recipe, batch = FastAdvProp(eps=EPS), a_batch(20)
    module = small_net()
    prepared = recipe.prepare(module)
    watched = Watched(prepared)
    for loss in recipe.losses(network(prepared), batch):
        loss.backward()
    branches = [(branch, training, len(images)) for branch, training, images in watched.seen]
    assert branches == [(1, True, 4), (0, True, 16), (1, True, 4)]
    parts, norms = [], {}
    for weight, (branch, _, images) in zip((0.5, 1.0, 0.5), watched.seen, strict=True):
        plain = small_net().train()
        rows = slice(4, None) if branch == 0 else slice(None, 4)
        targets = batch.targets[rows]
        if len(parts) == 2:
            order = torch.randperm(4, generator=batch.generator("shuffle"))
            targets = targets[order]
        loss = weight * functional.cross_entropy(plain((images - 0.5) / 0.5), targets, reduction="sum")
        loss.backward()
        parts.append(plain)
        norms[branch] = norms.get(branch, 0) + plain.features[0][1].weight.grad
    shared = sum(part.classifier.weight.grad for part in parts) / 20
    torch.testing.assert_close(module.classifier.weight.grad, shared)
    torch.testing.assert_close(module.features[0][1].weight.grad, norms[0] / 16)
    torch.testing.assert_close(next(prepared.sets[0].parameters()).grad, norms[1] / 4)


def test_a_trained_export_evaluates_as_the_main_branch_did() -> None:
    recipe = build_defense.defense("advprop(eps=8/255, steps=1)")
    module, _ = train(small_net(), training(recipe, samples=digits(64), epochs=1, ema_decay=0.5))
    assert list(module.state_dict()) == list(small_net().state_dict())
