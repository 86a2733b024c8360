"""What holds for every row of the table of defenses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from robustbench_eff.core import spec
from robustbench_eff.core.errors import UsageError
from robustbench_eff.defenses.network import Network
from robustbench_eff.defenses.noisy_student import NoisyStudent
from robustbench_eff.defenses.recipe import Recipe, Requirements, Stage
from robustbench_eff.defenses.trainer import train
from robustbench_eff.defenses.training_batch import Batch
from robustbench_eff.registry import build_defense
from robustbench_eff.registry.defenses import DEFENSES
from robustbench_eff.testing import DEFENSE_CHECKS
from robustbench_eff.testing import defenses as defense_checks
from trainings import Counted, digits, small_net, training


@pytest.mark.parametrize("name", DEFENSES)
@pytest.mark.parametrize("check", DEFENSE_CHECKS, ids=lambda check: check.__name__)
def test_every_row_passes_the_battery(check: Callable[[type[Recipe]], None], name: str) -> None:
    check(DEFENSES[name].load())


@pytest.mark.parametrize("name", DEFENSES)
def test_the_text_of_a_row_builds_it_again(name: str) -> None:
    recipe = build_defense.defense(name)
    assert build_defense.defense(spec.text_of(name, recipe)) == recipe
    assert build_defense.defense_text(recipe) == build_defense.defense_text(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken(Recipe):
    """Breaks one rule of the contract after the other, and names neither source nor differences."""

    version: ClassVar[int] = 1

    fault: str = "passes"

    @property
    def passes(self) -> float:
        return 3 if self.fault == "passes" else 2

    @property
    def requirements(self) -> Requirements:
        return Requirements()

    def stages(self) -> tuple[Stage, ...]:
        builds = self.fault == "stages"
        return (Stage(recipe=self, build_samples=NoisyStudent().with_pseudo_labels if builds else None),)

    def export(self, trained: nn.Module) -> nn.Module:
        return nn.Flatten() if self.fault == "export" else trained

    def losses(self, network: Network, batch: Batch) -> Iterator[Tensor]:
        match self.fault:
            case "teacher":
                network.teacher(batch.images)
            case "images":
                batch.images.zero_()
            case "mode":
                network.module.eval()
        yield functional.cross_entropy(network(batch.images), batch.targets)


@pytest.mark.parametrize(
    ("check", "fault"),
    [
        (defense_checks.recipe_names_its_source, ""),
        (defense_checks.recipe_counts_its_passes, "passes"),
        (defense_checks.recipe_declares_its_requirements, "teacher"),
        (defense_checks.recipe_has_stages_that_can_run, "stages"),
        (defense_checks.recipe_leaves_images_and_mode_alone, "images"),
        (defense_checks.recipe_leaves_images_and_mode_alone, "mode"),
        (defense_checks.recipe_trains_reproducibly, "export"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_check_of_the_losses_can_fail(check: Callable[[Callable[[], Recipe]], None], fault: str) -> None:
    with pytest.raises((AssertionError, UsageError)):
        check(lambda: Broken(fault=fault))


@dataclass(slots=True, kw_only=True, eq=False)
class Loose(Recipe):
    """Fields can be assigned, and no two objects are equal."""

    version: ClassVar[int] = 1

    field: int = 1

    @property
    def passes(self) -> float:
        return 2

    def losses(self, network: Network, batch: Batch) -> Iterator[Tensor]:
        yield from ()


def test_a_check_of_the_fields_can_fail() -> None:
    for check in (defense_checks.recipe_is_a_frozen_dataclass, defense_checks.recipe_text_round_trips):
        with pytest.raises(AssertionError):
            check(Loose)


def test_a_wrong_count_of_passes_would_be_found() -> None:
    counted = Counted(nn.Flatten())
    counted(torch.zeros(4, 3, 2, 2, requires_grad=True)).sum().backward()
    assert counted.passes == 8


def test_a_recipe_needs_what_it_names() -> None:
    for name in ("debiased", "distillation"):
        recipe = build_defense.defense(name)
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
        build_defense.defense(text)
