"""The contract of a training recipe, as checks that a plugin can run."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor, nn

from robustbench_eff.core import rng, spec
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.defenses.network import Dependencies, Network
from robustbench_eff.defenses.recipe import Recipe
from robustbench_eff.defenses.schedule import Schedule
from robustbench_eff.defenses.trainer import Training, train
from robustbench_eff.defenses.training_batch import Batch, Samples, smoothed

from .docstrings import class_names_its_source

RecipeClass: TypeAlias = Callable[..., Recipe]
NUM_SAMPLES = 64
"""Number of training images."""
BATCH_SIZE = 20
"""Number of images of a batch whose losses are computed directly."""
NUM_CLASSES = 10
"""Number of classes of the labels."""
SIDE = 32
"""Height and width of the images, in pixels."""
HALF = (0.5, 0.5, 0.5)
"""Mean and standard deviation of the pixels that the network's input is normalized with."""


def recipe_is_a_frozen_dataclass(recipe: RecipeClass) -> None:
    """Every field has a default and cannot be assigned; the object is a Recipe with a version.

    Args:
        recipe: The class of the recipe.

    Raises:
        AssertionError: The recipe does not meet the contract.
    """
    item = recipe()
    assert isinstance(item, Recipe), f"{item} does not have all members of Recipe"
    assert item.version >= 1
    for field in dataclasses.fields(item):  # type: ignore[arg-type]
        try:
            setattr(item, field.name, None)
        except dataclasses.FrozenInstanceError:
            continue
        raise AssertionError(f"{field.name} can be assigned")


def recipe_text_round_trips(recipe: RecipeClass) -> None:
    """The spec text of a recipe builds an equal recipe.

    Args:
        recipe: The class of the recipe.

    Raises:
        AssertionError: The recipe does not meet the contract.
    """
    item = recipe()
    assert spec.build(type(item), spec.parse(spec.text_of("defense", item))) == item


def recipe_names_its_source(recipe: RecipeClass) -> None:
    """The docstring has a Source and says what differs from it.

    Args:
        recipe: The class of the recipe.

    Raises:
        AssertionError: The recipe does not meet the contract.
    """
    class_names_its_source(recipe)


def recipe_counts_its_passes(recipe: RecipeClass) -> None:
    """`passes` is the number of forward and backward passes per sample, including those of a teacher.

    Args:
        recipe: The class of the recipe.

    Raises:
        AssertionError: The recipe does not meet the contract.
    """
    item, batch = recipe(), _training_batch()
    trained, teacher = _CountingNetwork(_small_network()), _CountingNetwork(_small_network().eval())
    _backward(item, item.prepare(trained), batch, teacher)
    counted = (trained.passes + teacher.passes) / len(batch.labels)
    assert abs(counted - item.passes) < 1e-6, f"{counted:g} passes per sample, not {item.passes:g}"


def recipe_declares_its_requirements(recipe: RecipeClass) -> None:
    """The losses use a teacher and a styliser only if `requirements` names them.

    Args:
        recipe: The class of the recipe.

    Raises:
        AssertionError: The recipe does not meet the contract.
    """
    item = recipe()
    needed = item.requirements
    dependencies = Dependencies(
        teacher=None if needed.teacher is None else _small_network().eval(),
        styliser=None if needed.styliser is None else _mix,
    )
    network = Network(item.prepare(_small_network()).train(), HALF, HALF, dependencies=dependencies)
    for loss in item.losses(network, _training_batch()):
        loss.backward()


def recipe_has_stages_that_can_run(recipe: RecipeClass) -> None:
    """There is at least one stage, and every stage that builds its samples from predictions has a teacher.

    Args:
        recipe: The class of the recipe.

    Raises:
        AssertionError: The recipe does not meet the contract.
    """
    item = recipe()
    stages = item.stages()
    assert stages, "there are no stages"
    has_teacher = item.requirements.teacher is not None
    for stage in stages:
        assert stage.build_samples is None or has_teacher, f"{stage.name or 'the first stage'} lacks a teacher"
        assert stage.build_samples is None or item.requirements.unlabelled, "unlabelled images are not required"
        has_teacher = True


def recipe_leaves_images_and_mode_alone(recipe: RecipeClass) -> None:
    """The losses change neither the images of the batch nor, in the end, the mode of the network.

    Args:
        recipe: The class of the recipe.

    Raises:
        AssertionError: The recipe does not meet the contract.
    """
    item, batch = recipe(), _training_batch()
    before = batch.images.clone()
    module = item.prepare(_small_network())
    _backward(item, module, batch, _small_network().eval())
    assert torch.equal(batch.images, before), "the images have changed"
    assert all(layer.training for layer in module.modules()), "the network is not in train mode afterwards"


def recipe_trains_reproducibly(recipe: RecipeClass) -> None:
    """A training changes every tensor of the architecture, and depends on its seed alone.

    Args:
        recipe: The class of the recipe.

    Raises:
        AssertionError: The recipe does not meet the contract.
    """
    initial, results = _small_network().state_dict(), []
    for seed in (1, 2):
        with rng.global_generators(seed, "contract"):  # must not matter, and must not be disturbed
            state = torch.get_rng_state()
            module = _trained(recipe())
            assert torch.equal(torch.get_rng_state(), state), "the global random state has changed"
        assert not module.training, "the exported network is not in eval mode"
        results.append(module.state_dict())
    first, second = results
    assert set(first) >= set(initial), "the exported network is not of the original architecture"
    assert all(torch.equal(first[name], second[name]) for name in first), "depends on the global random state"
    assert all(torch.isfinite(tensor).all() for tensor in first.values()), "has weights that are not finite"
    assert not any(torch.equal(first[name], initial[name]) for name in initial), "some tensors have not changed"


DEFENSE_CHECKS: tuple[Callable[[RecipeClass], None], ...] = (
    recipe_is_a_frozen_dataclass,
    recipe_text_round_trips,
    recipe_names_its_source,
    recipe_counts_its_passes,
    recipe_declares_its_requirements,
    recipe_has_stages_that_can_run,
    recipe_leaves_images_and_mode_alone,
    recipe_trains_reproducibly,
)


class _CountingNetwork(nn.Module):
    """Counts the samples of all forward and backward passes."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module, self.passes = module, 0

    def forward(self, images: Tensor) -> Tensor:
        self.passes += len(images)
        logits: Tensor = self.module(images)
        if logits.requires_grad:
            logits.register_hook(self._count)
        return logits

    def _count(self, gradient: Tensor) -> None:
        self.passes += len(gradient)


def _small_network() -> nn.Module:
    with rng.global_generators(0, "initialisation"):
        return nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 16, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Dropout(0.0),
            nn.Linear(16, NUM_CLASSES),
        )


def _mix(content: Tensor, style: Tensor, strength: float = 1.0, draws: RandomStreams | None = None) -> Tensor:
    """A styliser that needs no weights."""
    del draws
    return (1 - strength) * content + strength * style


def _training_samples() -> Samples:
    draws = RandomStreams.of(0, range(NUM_SAMPLES))
    coarse = draws.uniform((3, 5, 5), stream="training")
    images = nn.functional.interpolate(coarse, size=(SIDE, SIDE), mode="bilinear")
    pixels = (255 * images).to(torch.uint8).permute(0, 2, 3, 1).contiguous()
    labels = torch.arange(NUM_SAMPLES) % NUM_CLASSES
    return Samples(pixels=pixels, labels=labels, num_classes=NUM_CLASSES)


def _training_batch() -> Batch:
    samples, rows = _training_samples(), torch.arange(BATCH_SIZE)
    labels = samples.labels[rows]
    return Batch(
        images=samples.images(rows).contiguous(),
        labels=labels,
        targets=smoothed(labels, NUM_CLASSES, 0.1),
        seed=0,
        step=3,
        local_slice=slice(0, BATCH_SIZE),
        total=BATCH_SIZE,
    )


def _backward(item: Recipe, module: nn.Module, batch: Batch, teacher: nn.Module) -> None:
    dependencies = Dependencies(styliser=_mix, teacher=teacher)
    network = Network(module.train(), HALF, HALF, dependencies=dependencies)
    for loss in item.losses(network, batch):
        loss.backward()


def _trained(item: Recipe) -> nn.Module:
    training = Training(
        recipe=item,
        schedule=Schedule(epochs=1, batch_size=32),
        samples=_training_samples(),
        mean=HALF,
        std=HALF,
        dependencies=Dependencies(styliser=_mix, teacher=_small_network().eval()),
    )
    module, epochs = train(_small_network(), training)
    assert len(epochs) == 1
    return module
