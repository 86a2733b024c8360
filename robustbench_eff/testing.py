"""The batteries that every attack, corruption and defense passes: for our own rows and for plugins.

    import pytest
    from robustbench_eff.testing import ATTACK_CHECKS

    @pytest.mark.parametrize("check", ATTACK_CHECKS, ids=lambda check: check.__name__)
    def test_my_attack(check):
        check(MyAttack)

and the same with CORRUPTION_CHECKS and a `Kernel`, and with DEFENSE_CHECKS and a recipe class. A check raises
AssertionError that says what does not hold.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from robustbench_eff.core import rng, spec
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Attack, Pixels
from robustbench_eff.corruptions import Corruption, Kernel
from robustbench_eff.defenses.network import Dependencies, Network
from robustbench_eff.defenses.recipe import Recipe
from robustbench_eff.defenses.schedule import Schedule
from robustbench_eff.defenses.trainer import Training, train
from robustbench_eff.defenses.training_batch import Batch, Samples, smoothed
from robustbench_eff.models.small_cnn import SmallCNN

AttackClass: TypeAlias = Callable[..., Attack]
SAMPLES, CLASSES, SIZE = 12, 5, 8


def is_default_constructible(attack: AttackClass) -> None:
    """Every field has a default, and the object is an Attack."""
    assert isinstance(attack(), Attack)


def is_frozen(attack: AttackClass) -> None:
    """Fields cannot be changed after construction."""
    item = attack()
    name = dataclasses.fields(item)[0].name  # type: ignore[arg-type]
    try:
        setattr(item, name, getattr(item, name))
    except dataclasses.FrozenInstanceError:
        return
    raise AssertionError(f"{attack.__name__}.{name} can be assigned")


def spec_text_round_trips(attack: AttackClass) -> None:
    """The text of an attack builds an equal attack."""
    item = attack()
    assert spec.build(type(item), spec.parse(spec.text_of("attack", item))) == item


def keeps_shape_and_type(attack: AttackClass) -> None:
    """As many images come back as went in, of the same shape and dtype."""
    model, images, labels, draws = _problem()
    adversarial = attack()(model, images, labels, draws)
    assert adversarial.shape == images.shape
    assert adversarial.dtype == images.dtype


def takes_an_empty_batch(attack: AttackClass) -> None:
    """No images give no images."""
    model, images, labels, draws = _problem()
    assert attack()(model, images[:0], labels[:0], draws[torch.arange(0)]).shape == images[:0].shape


def stays_inside_the_threat_model(attack: AttackClass) -> None:
    """Every image lies in the ball and in [0, 1]."""
    model, images, labels, draws = _problem()
    item = attack()
    excess = item.threat.excess(item(model, images, labels, draws), images)
    assert excess.max() <= 1e-6 * max(1.0, item.threat.eps), f"leaves its threat model by {excess.max():.2e}"


def leaves_its_input_alone(attack: AttackClass) -> None:
    """Images and labels are the same afterwards."""
    model, images, labels, draws = _problem()
    before = images.clone(), labels.clone()
    attack()(model, images, labels, draws)
    assert torch.equal(images, before[0])
    assert torch.equal(labels, before[1])


def leaves_the_model_alone(attack: AttackClass) -> None:
    """Mode, gradients and `requires_grad` of the parameters are the same afterwards."""
    model, images, labels, draws = _problem()
    frozen = next(model.parameters()).requires_grad_(False)
    before = [parameter.requires_grad for parameter in model.parameters()]
    attack()(model, images, labels, draws)
    assert not frozen.requires_grad
    assert [parameter.requires_grad for parameter in model.parameters()] == before
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not any(module.training for module in model.modules())


def does_not_depend_on_the_batch(attack: AttackClass) -> None:
    """A sample's image is the same alone, in a small batch and in a large one."""
    model, images, labels, draws = _problem()
    together = attack()(model, images, labels, draws)
    for part in torch.arange(SAMPLES).split([1, 1, 5, 5]):
        apart = attack()(model, images[part], labels[part], draws[part])
        assert (apart - together[part]).abs().max() < 1e-5, f"a batch of {len(part)} gives other images"


def is_a_function_of_its_seed(attack: AttackClass) -> None:
    """The same draws give the same images; other seeds give others exactly where the attack says it is stochastic."""
    model, images, labels, draws = _problem()
    item = attack()
    first, second = item(model, images, labels, draws), item(model, images, labels, draws)
    assert torch.equal(first, second)
    other = item(model, images, labels, RandomStreams(draws.seed + 1, draws.keys))
    assert torch.equal(first, other) != item.stochastic


def costs_what_it_says(attack: AttackClass) -> None:
    """No sample needs more than `max_passes` forward and backward passes."""
    from robustbench_eff.attacks import Oracle

    model, images, labels, draws = _problem()
    oracle = Oracle(model)
    item = attack()
    item(oracle, images, labels, draws)
    assert (oracle.effort.num_forwards + oracle.effort.num_backwards <= item.max_passes).all()


def names_its_source(attack: AttackClass) -> None:
    """The docstring says where the method comes from and what is done otherwise."""
    text = attack.__doc__ or ""
    assert "Source:" in text, "no Source: in the docstring"
    assert "Differs:" in text, "no Differs: in the docstring"


ATTACK_CHECKS: tuple[Callable[[AttackClass], None], ...] = (
    is_default_constructible,
    is_frozen,
    spec_text_round_trips,
    keeps_shape_and_type,
    takes_an_empty_batch,
    stays_inside_the_threat_model,
    leaves_its_input_alone,
    leaves_the_model_alone,
    does_not_depend_on_the_batch,
    is_a_function_of_its_seed,
    costs_what_it_says,
    names_its_source,
)


def gives_as_many_pixels(kernel: Kernel[Any]) -> None:
    """uint8 images of the same shape come back, at every severity and for none at all."""
    for corruption in _severities(kernel):
        pixels, draws = _pictures()
        corrupted = corruption(pixels, draws)
        assert corrupted.dtype == torch.uint8
        assert corrupted.shape == pixels.shape
        assert corruption(pixels[:0], draws[torch.arange(0)]).shape == pixels[:0].shape


def is_the_same_in_any_batch(kernel: Kernel[Any]) -> None:
    """An image's bytes are the same alone, among others, and in another order."""
    for corruption in _severities(kernel):
        pixels, draws = _pictures()
        together = corruption(pixels, draws)
        for part in torch.arange(len(pixels)).flip(0).split([1, 4, 2]):
            assert torch.equal(corruption(pixels[part], draws[part]), together[part]), f"{corruption} knows its batch"


def is_drawn_from_its_seed(kernel: Kernel[Any]) -> None:
    """The same draws give the same bytes; other seeds give others exactly where the kernel samples something."""
    for corruption in _severities(kernel):
        pixels, draws = _pictures()
        first = corruption(pixels, draws)
        assert torch.equal(first, corruption(pixels, draws))
        other = corruption(pixels, RandomStreams(draws.seed + 1, draws.keys))
        assert torch.equal(first, other) != corruption.stochastic, f"{corruption}"


def has_five_severities(kernel: Kernel[Any]) -> None:
    """Each set of constants has as many, and its text says which is meant."""
    for constants, values in kernel.severities.items():
        assert len(values) == SEVERITIES, f"{constants} has {len(values)}"
    for corruption in _severities(kernel):
        text = spec.text_of(kernel.name, corruption)
        assert spec.build(type(corruption), spec.parse(text), kernel=kernel) == corruption


def has_a_source(kernel: Kernel[Any]) -> None:
    """The docstring of its module says where it comes from."""
    assert "Source:" in (inspect.getmodule(kernel.apply).__doc__ or ""), "no Source: in the module's docstring"


CORRUPTION_CHECKS: tuple[Callable[[Kernel[Any]], None], ...] = (
    gives_as_many_pixels,
    is_the_same_in_any_batch,
    is_drawn_from_its_seed,
    has_five_severities,
    has_a_source,
)
SEVERITIES, PICTURES, SIDE = 5, 7, 32


def _severities(kernel: Kernel[Any]) -> list[Corruption]:
    """The kernel at every severity of the first constants it has for images as small as ours."""
    constants = list(kernel.severities)[-1]
    return [kernel.at(severity, constants) for severity in range(1, SEVERITIES + 1)]


def _pictures() -> tuple[Pixels, RandomStreams]:
    """Smooth colours with some noise on them."""
    draws = RandomStreams.of(0, range(PICTURES))
    coarse = draws.uniform((3, 5, 5), stream="pictures")
    smooth = nn.functional.interpolate(coarse, size=(SIDE, SIDE), mode="bilinear")
    noisy = smooth + 0.1 * draws.normal((3, SIDE, SIDE), stream="pictures/noise")
    return (255 * noisy.clamp(0, 1)).to(torch.uint8).permute(0, 2, 3, 1).contiguous(), draws


class _Toy(nn.Module):
    """A smooth two-layer network, so that gradients are nowhere exactly zero."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3 * SIZE * SIZE, 16)
        self.second = nn.Linear(16, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.second(torch.tanh(self.first(images.flatten(1))))
        return logits


def _problem() -> tuple[nn.Module, Tensor, Tensor, RandomStreams]:
    """A fixed toy model, random images with the labels it predicts, and their draws."""
    model = _Toy().eval()
    with torch.no_grad():
        for position, parameter in enumerate(model.parameters()):
            draws = RandomStreams.of(0, range(parameter.shape[0]))
            values = draws.normal(parameter.shape[1:] or (1,), stream=f"toy/{position}")
            parameter.copy_(values.reshape(parameter.shape) * 0.3)
    draws = RandomStreams.of(0, range(SAMPLES))
    images = draws.uniform((3, SIZE, SIZE), stream="images")
    with torch.no_grad():
        labels = model(images).argmax(1)
    return model, images, labels, draws


# The battery of training recipes: `check(MyRecipe)` for every check in DEFENSE_CHECKS.

RecipeClass: TypeAlias = Callable[..., Recipe]
RECIPE_SAMPLES, RECIPE_BATCH, RECIPE_CLASSES = 64, 20, 10


def recipe_is_a_frozen_dataclass(recipe: RecipeClass) -> None:
    """Every field has a default and cannot be assigned; the object is a Recipe with a version."""
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
    """The spec text of a recipe builds an equal recipe."""
    item = recipe()
    assert spec.build(type(item), spec.parse(spec.text_of("defense", item))) == item


def recipe_names_its_source(recipe: RecipeClass) -> None:
    """The docstring has a Source and says what differs from it."""
    names_its_source(recipe)  # type: ignore[arg-type]


def recipe_counts_its_passes(recipe: RecipeClass) -> None:
    """`passes` is the number of forward and backward passes per sample, including those of a teacher."""
    item, batch = recipe(), _training_batch()
    trained, teacher = _CountingNetwork(_small_network()), _CountingNetwork(_small_network().eval())
    _backward(item, item.prepare(trained), batch, teacher)
    counted = (trained.passes + teacher.passes) / len(batch.labels)
    assert abs(counted - item.passes) < 1e-6, f"{counted:g} passes per sample, not {item.passes:g}"


def recipe_declares_its_requirements(recipe: RecipeClass) -> None:
    """The losses use a teacher and a styliser only if `requirements` names them."""
    item = recipe()
    needed = item.requirements
    dependencies = Dependencies(
        teacher=None if needed.teacher is None else _small_network().eval(),
        styliser=None if needed.styliser is None else _mix,
    )
    network = Network(item.prepare(_small_network()).train(), (0.5,) * 3, (0.5,) * 3, dependencies=dependencies)
    for loss in item.losses(network, _training_batch()):
        loss.backward()


def recipe_has_stages_that_can_run(recipe: RecipeClass) -> None:
    """There is at least one stage, and every stage that builds its samples from predictions has a teacher."""
    item = recipe()
    stages = item.stages()
    assert stages, "there are no stages"
    has_teacher = item.requirements.teacher is not None
    for stage in stages:
        assert stage.build_samples is None or has_teacher, f"{stage.name or 'the first stage'} lacks a teacher"
        assert stage.build_samples is None or item.requirements.unlabelled, "unlabelled images are not required"
        has_teacher = True


def recipe_leaves_images_and_mode_alone(recipe: RecipeClass) -> None:
    """The losses change neither the images of the batch nor, in the end, the mode of the network."""
    item, batch = recipe(), _training_batch()
    before = batch.images.clone()
    module = item.prepare(_small_network())
    _backward(item, module, batch, _small_network().eval())
    assert torch.equal(batch.images, before), "the images have changed"
    assert all(layer.training for layer in module.modules()), "the network is not in train mode afterwards"


def recipe_trains_reproducibly(recipe: RecipeClass) -> None:
    """A training changes every tensor of the architecture, and depends on its seed alone."""
    initial, results = _small_network().state_dict(), []
    for seed in (1, 2):
        torch.manual_seed(seed)  # must not matter, and must not be disturbed
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
        return SmallCNN(width=4)


def _mix(content: Tensor, style: Tensor, strength: float = 1.0, draws: RandomStreams | None = None) -> Tensor:
    """A styliser that needs no weights."""
    del draws
    return (1 - strength) * content + strength * style


def _training_samples() -> Samples:
    draws = RandomStreams.of(0, range(RECIPE_SAMPLES))
    coarse = draws.uniform((3, 5, 5), stream="training")
    images = nn.functional.interpolate(coarse, size=(SIDE, SIDE), mode="bilinear")
    pixels = (255 * images).to(torch.uint8).permute(0, 2, 3, 1).contiguous()
    labels = torch.arange(RECIPE_SAMPLES) % RECIPE_CLASSES
    return Samples(pixels=pixels, labels=labels, num_classes=RECIPE_CLASSES)


def _training_batch() -> Batch:
    samples, rows = _training_samples(), torch.arange(RECIPE_BATCH)
    labels = samples.labels[rows]
    return Batch(
        images=samples.images(rows).contiguous(),
        labels=labels,
        targets=smoothed(labels, RECIPE_CLASSES, 0.1),
        seed=0,
        step=3,
        local_slice=slice(0, RECIPE_BATCH),
        total=RECIPE_BATCH,
    )


def _backward(item: Recipe, module: nn.Module, batch: Batch, teacher: nn.Module) -> None:
    dependencies = Dependencies(styliser=_mix, teacher=teacher)
    network = Network(module.train(), (0.5,) * 3, (0.5,) * 3, dependencies=dependencies)
    for loss in item.losses(network, batch):
        loss.backward()


def _trained(item: Recipe) -> nn.Module:
    training = Training(
        recipe=item,
        schedule=Schedule(epochs=1, batch_size=32),
        samples=_training_samples(),
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        dependencies=Dependencies(styliser=_mix, teacher=_small_network().eval()),
    )
    module, epochs = train(_small_network(), training)
    assert len(epochs) == 1
    return module
