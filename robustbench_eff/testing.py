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

from robustbench_eff.core import spec
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import Attack, Pixels
from robustbench_eff.corruptions import Corruption, Kernel
from robustbench_eff.defenses.contract import DEFENSE_CHECKS as DEFENSE_CHECKS

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
