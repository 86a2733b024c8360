"""Contract checks for attacks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple, TypeAlias, get_args

import torch
from torch import Tensor, nn

from robustbench_eff.core import spec
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Attack, AttackUses

from .docstrings import class_names_its_source

AttackClass: TypeAlias = Callable[..., Attack]
SAMPLES, CLASSES, SIZE = 12, 5, 8


def is_default_constructible(attack: AttackClass) -> None:
    """Check that every field has a default, and that the object satisfies the `Attack` protocol.

    Args:
        attack: The attack class.

    Raises:
        AssertionError: If it does not.
    """
    assert isinstance(attack(), Attack)


def is_frozen(attack: AttackClass) -> None:
    """Check that fields cannot be changed after construction.

    Args:
        attack: The attack class.

    Raises:
        AssertionError: If a field can be assigned.
    """
    item = attack()
    name = dataclasses.fields(item)[0].name  # type: ignore[arg-type]
    try:
        setattr(item, name, getattr(item, name))
    except dataclasses.FrozenInstanceError:
        return
    raise AssertionError(f"{attack.__name__}.{name} can be assigned")


def spec_text_round_trips(attack: AttackClass) -> None:
    """Check that the spec text of an attack builds an equal attack.

    Args:
        attack: The attack class.

    Raises:
        AssertionError: If it does not.
    """
    item = attack()
    assert spec.build(type(item), spec.parse(spec.text_of("attack", item))) == item


def keeps_shape_and_type(attack: AttackClass) -> None:
    """Check that the result has the shape and dtype of the input.

    Args:
        attack: The attack class.

    Raises:
        AssertionError: If it does not.
    """
    model, images, labels, draws = _problem()
    adversarial = attack()(model, images, labels, draws)
    assert adversarial.shape == images.shape
    assert adversarial.dtype == images.dtype


def takes_an_empty_batch(attack: AttackClass) -> None:
    """Check that an empty batch gives an empty batch.

    Args:
        attack: The attack class.

    Raises:
        AssertionError: If it does not.
    """
    model, images, labels, draws = _problem()
    assert attack()(model, images[:0], labels[:0], draws[torch.arange(0)]).shape == images[:0].shape


def stays_inside_the_threat_model(attack: AttackClass) -> None:
    """Check that every image lies inside the threat model: in the ball and in [0, 1].

    Args:
        attack: The attack class.

    Raises:
        AssertionError: If an image lies outside.
    """
    model, images, labels, draws = _problem()
    item = attack()
    excess = item.threat.excess(item(model, images, labels, draws), images)
    assert excess.max() <= 1e-6 * max(1.0, item.threat.eps), f"leaves its threat model by {excess.max():.2e}"


def leaves_its_input_alone(attack: AttackClass) -> None:
    """Check that the attack does not modify images and labels.

    Args:
        attack: The attack class.

    Raises:
        AssertionError: If it does.
    """
    model, images, labels, draws = _problem()
    before = images.clone(), labels.clone()
    attack()(model, images, labels, draws)
    assert torch.equal(images, before[0])
    assert torch.equal(labels, before[1])


def leaves_the_model_alone(attack: AttackClass) -> None:
    """Check that the attack leaves the model's mode, gradients and `requires_grad` as they were.

    Args:
        attack: The attack class.

    Raises:
        AssertionError: If it does not.
    """
    model, images, labels, draws = _problem()
    frozen = next(model.parameters()).requires_grad_(False)
    before = [parameter.requires_grad for parameter in model.parameters()]
    attack()(model, images, labels, draws)
    assert not frozen.requires_grad
    assert [parameter.requires_grad for parameter in model.parameters()] == before
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not any(module.training for module in model.modules())


def does_not_depend_on_the_batch(attack: AttackClass) -> None:
    """Check that a sample's result is the same alone, in a small batch and in a large one.

    Args:
        attack: The attack class.

    Raises:
        AssertionError: If it is not.
    """
    model, images, labels, draws = _problem()
    together = attack()(model, images, labels, draws)
    for batch in torch.arange(SAMPLES).split([1, 1, 5, 5]):
        apart = attack()(model, images[batch], labels[batch], draws[batch])
        assert (apart - together[batch]).abs().max() < 1e-5, f"a batch of {len(batch)} gives other images"


def is_a_function_of_its_seed(attack: AttackClass) -> None:
    """Check that equal draws give equal images, and other seeds other images if and only if it is stochastic.

    Args:
        attack: The attack class.

    Raises:
        AssertionError: If they do not.
    """
    model, images, labels, draws = _problem()
    item = attack()
    first, second = item(model, images, labels, draws), item(model, images, labels, draws)
    assert torch.equal(first, second)
    other = item(model, images, labels, RandomStreams(draws.seed + 1, draws.keys))
    assert torch.equal(first, other) != item.stochastic


def costs_what_it_says(attack: AttackClass) -> None:
    """Check that no sample needs more than `max_passes` forward and backward passes.

    Args:
        attack: The attack class.

    Raises:
        AssertionError: If one does.
    """
    from robustbench_eff.attacks import Oracle

    model, images, labels, draws = _problem()
    oracle = Oracle(model)
    oracle.watch(len(images))
    item = attack()
    item(oracle, images, labels, draws)
    assert (oracle.effort.num_forwards + oracle.effort.num_backwards <= item.max_passes).all()


def declares_what_it_uses(attack: AttackClass) -> None:
    """Check that `uses` is one of the values of `AttackUses`.

    Args:
        attack: The attack class.

    Raises:
        AssertionError: If it is missing or another value.
    """
    uses, values = getattr(attack(), "uses", None), get_args(AttackUses)
    assert uses in values, f"uses must be one of {', '.join(map(repr, values))}, got {uses!r}"


def takes_the_gradients_it_declares(attack: AttackClass) -> None:
    """Check that the number of gradients matches `uses`, where the oracle can count them per sample.

    Args:
        attack: The attack class.

    Raises:
        AssertionError: If an attack on logits or decisions takes gradients, one on gradients takes none,
            or one on a single gradient takes more.
    """
    from robustbench_eff.attacks import Oracle

    model, images, labels, draws = _problem()
    oracle = Oracle(model)
    oracle.watch(len(images))
    item = attack()
    item(oracle, images, labels, draws)
    taken = oracle.effort.num_backwards
    uses = getattr(item, "uses", None)
    if uses in ("logits", "decisions"):
        assert (taken == 0).all(), f"uses={uses!r}, but it takes gradients"
    else:
        assert (taken != 0).any(), f"uses={uses!r}, but it takes no gradients"
    if uses == "one gradient":
        assert taken.max() <= 1, f"uses={uses!r}, but it takes {int(taken.max())}"


def names_its_source(attack: AttackClass) -> None:
    """Check that the class docstring has `Source:` and `Differs:`.

    Args:
        attack: The attack class.

    Raises:
        AssertionError: If one is missing.
    """
    class_names_its_source(attack)


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
    declares_what_it_uses,
    takes_the_gradients_it_declares,
    names_its_source,
)


class _Problem(NamedTuple):
    model: nn.Module
    images: Tensor
    labels: Tensor
    draws: RandomStreams


class _Toy(nn.Module):
    """A smooth two-layer network, whose gradients are never exactly zero."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3 * SIZE * SIZE, 16)
        self.second = nn.Linear(16, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.second(torch.tanh(self.first(images.flatten(1))))
        return logits


def _problem() -> _Problem:
    """Return a fixed toy model, random images with the labels it predicts, and their draws."""
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
    return _Problem(model, images, labels, draws)
