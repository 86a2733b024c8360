"""Every attack of the table passes all contract checks, and every check can fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import pytest
import torch

from robustbench_eff.attacks import Oracle
from robustbench_eff.attacks.losses import cross_entropy
from robustbench_eff.core.threat import Threat
from robustbench_eff.core.types import AttackUses
from robustbench_eff.registry.attacks import ATTACKS
from robustbench_eff.testing import ATTACK_CHECKS
from robustbench_eff.testing.attacks import takes_the_gradients_it_declares


@pytest.mark.parametrize("check", ATTACK_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", ATTACKS)
def test_every_attack_keeps_the_contract(name: str, check: Callable[..., None]) -> None:
    check(ATTACKS[name].load())


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """Satisfies the contract except for what `deed` does."""

    version: ClassVar[int] = 1
    uses: ClassVar[AttackUses] = "decisions"
    stochastic: ClassVar[bool] = False
    max_passes: ClassVar[int] = 2
    deed: str = ""
    eps: float = 8 / 255

    @property
    def threat(self) -> Threat:
        return Threat("linf", self.eps)

    def __call__(self, classifier, images, labels, draws=None):
        model = getattr(classifier, "_classifier", classifier)
        match self.deed:
            case "shape":
                return images[:, :, :4]
            case "empty":
                assert len(images), "an empty batch"
            case "ball":
                return (images + 0.5).clamp(0, 1)
            case "input":
                images.mul_(0.9)
            case "model":
                model.train()
            case "batch":
                return self.threat.project(images + 0.02 * images.mean(), images)
            case "seed":
                return self.threat.project(images + torch.rand(images.shape) - 0.5, images)
            case "cost":
                with Oracle.open(classifier, images, labels) as oracle:
                    for _ in range(3):
                        oracle.logits(images, torch.arange(len(images)))
            case "gradient":
                with Oracle.open(classifier, images, labels) as oracle:
                    oracle.gradient(images, labels, cross_entropy, torch.arange(len(images)))
        return images.clone()


@dataclass
class Thawed:
    """An attack whose fields can be assigned."""

    eps: float = 0.1


@dataclass(eq=False)
class Unequal:
    """Not an Attack: no spec text builds it, and it has neither `uses` nor a source."""

    eps: float = 0.1


BROKEN: dict[str, type] = {
    "is_default_constructible": Unequal,
    "is_frozen": Thawed,
    "spec_text_round_trips": Unequal,
    "keeps_shape_and_type": partial(Broken, deed="shape"),
    "takes_an_empty_batch": partial(Broken, deed="empty"),
    "stays_inside_the_threat_model": partial(Broken, deed="ball"),
    "leaves_its_input_alone": partial(Broken, deed="input"),
    "leaves_the_model_alone": partial(Broken, deed="model"),
    "does_not_depend_on_the_batch": partial(Broken, deed="batch"),
    "is_a_function_of_its_seed": partial(Broken, deed="seed"),
    "costs_what_it_says": partial(Broken, deed="cost"),
    "declares_what_it_uses": Unequal,
    "takes_the_gradients_it_declares": partial(Broken, deed="gradient"),
    "names_its_source": Unequal,
}


@pytest.mark.parametrize("check", ATTACK_CHECKS, ids=lambda check: check.__name__)
def test_every_check_can_fail(check: Callable[..., None]) -> None:
    broken = BROKEN[check.__name__]
    with pytest.raises(AssertionError):
        check(broken)


@pytest.mark.parametrize(
    ("deed", "uses"), [("gradient", "logits"), ("nothing", "gradients"), ("two gradients", "one gradient")]
)
def test_gradients_that_do_not_match_the_declaration_are_found(deed: str, uses: AttackUses) -> None:
    @dataclass(frozen=True)
    class Dishonest:
        uses: AttackUses

        def __call__(self, classifier, images, labels, draws=None):
            with Oracle.open(classifier, images, labels) as oracle:
                for _ in range({"nothing": 0, "gradient": 1, "two gradients": 2}[deed]):
                    oracle.gradient(images, labels, cross_entropy, torch.arange(len(images)))
            return images.clone()

    with pytest.raises(AssertionError, match="uses="):
        takes_the_gradients_it_declares(partial(Dishonest, uses))


@pytest.mark.parametrize("check", ATTACK_CHECKS, ids=lambda check: check.__name__)
def test_an_attack_that_does_nothing_wrong_passes(check: Callable[..., None]) -> None:
    if check.__name__ != "names_its_source":
        check(Broken)
