"""What holds for every row of the table of defenses."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from robustbench_eff.core import spec
from robustbench_eff.defenses.network import Dependencies
from robustbench_eff.defenses.recipe import Recipe
from robustbench_eff.defenses.trainer import train
from robustbench_eff.registry import build
from robustbench_eff.registry.defenses import DEFENSES
from trainings import Counted, a_batch, digits, network, small_net, training


def given() -> Dependencies:
    return Dependencies(styliser=build.styliser("random_phase"), teacher=small_net(3).eval())


every_recipe = pytest.mark.parametrize("name", DEFENSES)


@every_recipe
def test_it_is_a_frozen_dataclass_that_its_text_builds_again(name: str) -> None:
    recipe = build.defense(name)
    assert isinstance(recipe, Recipe) and recipe.version >= 1
    for field in dataclasses.fields(recipe):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(recipe, field.name, None)
    assert build.defense(spec.text_of(name, recipe)) == recipe


@every_recipe
def test_its_docstring_names_source_and_differences(name: str) -> None:
    documentation = DEFENSES[name].load().__doc__
    assert "Source:" in documentation and "Differs:" in documentation


@every_recipe
def test_it_makes_as_many_passes_as_it_says(name: str) -> None:
    recipe, batch = build.defense(name), a_batch(20)
    counted = Counted(small_net())
    taught = Counted(small_net(3).eval())
    subject = network(recipe.prepare(counted), styliser=given().styliser, teacher=taught)
    for loss in recipe.losses(subject, batch):
        loss.backward()
    assert counted.passes + taught.passes == pytest.approx(recipe.passes * 20)


@every_recipe
def test_it_keeps_a_plain_network_that_has_learned_and_depends_on_the_seed_alone(name: str) -> None:
    recipe, before, kept = build.defense(name), small_net().state_dict(), []
    for number in (1, 2):
        torch.manual_seed(number)
        state = torch.get_rng_state()
        module, epochs = train(small_net(), training(recipe, samples=digits(64), given=given(), epochs=1))
        assert torch.equal(torch.get_rng_state(), state) and not module.training and len(epochs) == 1
        kept.append(module.state_dict())
    assert all(torch.equal(kept[0][key], kept[1][key]) for key in kept[0])
    assert set(kept[0]) >= set(before)
    assert all(torch.isfinite(tensor).all() for tensor in kept[0].values())
    assert all(not torch.equal(kept[0][key], value) for key, value in before.items())


@every_recipe
def test_the_images_and_the_mode_of_the_network_are_left_as_they_were(name: str) -> None:
    recipe, batch = build.defense(name), a_batch()
    kept = batch.images.clone()
    module = recipe.prepare(small_net())
    subject = network(module, styliser=given().styliser, teacher=given().teacher)
    for loss in recipe.losses(subject, batch):
        loss.backward()
    assert torch.equal(batch.images, kept)
    assert all(part.training for part in module.modules())


def test_a_wrong_count_of_passes_would_be_found() -> None:
    counted = Counted(nn.Flatten())
    counted(torch.zeros(4, 3, 2, 2, requires_grad=True)).sum().backward()
    assert counted.passes == 8


def test_a_recipe_needs_what_it_names() -> None:
    for name in ("debiased", "distillation"):
        recipe = build.defense(name)
        with pytest.raises(Exception, match="needs a"):
            train(small_net(), training(recipe, samples=digits(32)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("pdg_at", "Did you mean 'pgd_at'"),
        ("pgd_at(step=3)", "Did you mean 'steps'"),
        ("pgd_at(eps=8)", "Did you mean 8/255"),
        ("pgd_at(norm=l1)", "'linf' or 'l2'"),
        ("pgd_at(steps=0)", "steps must be >= 1"),
        ("sat(activation=rleu)", "Did you mean 'relu'"),
        ("sat(where=forward)", "'everywhere' or"),
        ("advprop(images=noisy)", "'adversarial' or 'noise' or 'copy'"),
        ("advprop(augmentation=autoaug)", "autoaugment, randaugment"),
        ("debiased(gamma=2)", "from 0 to 1"),
        ("free(replays=0)", "replays"),
        ("cutmix(alpha=0)", "alpha"),
        ("mixup(alpha=-1)", "alpha"),
        ("trades(beta=-1)", "beta"),
        ("fast_advprop(share=1)", "share"),
        ("tampering(alpha=0)", "alpha"),
        ("noisy_student(threshold=1)", "threshold"),
        ("distillation(weight=2)", "weight"),
        ("augmix(severity=11)", "severity"),
        ("randaugment(magnitude=31)", "magnitude"),
    ],
)
def test_a_wrong_field_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(Exception, match=words):
        build.defense(text)
