"""Every row of the table of adaptations passes the battery, and the battery can fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from torch import nn

from robustbench_eff.core.stream import Stream
from robustbench_eff.models.adaptation.adaptation import Adaptation
from robustbench_eff.registry.adaptations import ADAPTATIONS
from robustbench_eff.registry.build_adaptation import adaptation
from robustbench_eff.testing import ADAPTATION_CHECKS

TEXTS = {"batches": "batches(size=12)"}
"""The least that must be said; other rows need only their name."""


@pytest.mark.parametrize("name", ADAPTATIONS)
@pytest.mark.parametrize("check", ADAPTATION_CHECKS, ids=lambda check: check.__name__)
def test_every_adaptation_keeps_the_contract(name: str, check: Callable[[Adaptation], None]) -> None:
    check(adaptation(TEXTS.get(name, name)).component)


@pytest.mark.parametrize("name", ADAPTATIONS)
def test_the_text_of_an_adaptation_builds_it_again(name: str) -> None:
    named = adaptation(TEXTS.get(name, name))
    assert adaptation(named.text) == named
    assert isinstance(named.component, Adaptation)


@dataclass(frozen=True)
class Broken:
    """Keeps to the contract except for one deed."""

    deed: str
    learnt: ClassVar[list[float]] = []
    version: ClassVar[int] = 1

    @property
    def stream(self) -> Stream:
        return Stream(batch_size=12)

    def __call__(self, network: nn.Module) -> nn.Module:
        deed, learnt = self.deed, self.learnt

        class Adapted(nn.Module):
            def forward(self, images: torch.Tensor) -> torch.Tensor:
                if deed == "images":
                    images += 1
                if deed == "memory":
                    learnt.append(1.0)
                logits = network(images) + sum(learnt)
                return logits[:1] if deed == "shape" else logits

        return Adapted()


@pytest.mark.parametrize(("deed", "words"), [("images", "changes"), ("memory", "remembers"), ("shape", "shape")])
def test_the_battery_finds_what_is_wrong(deed: str, words: str) -> None:
    Broken.learnt.clear()
    failures = []
    for check in ADAPTATION_CHECKS:
        try:
            check(Broken(deed))
        except AssertionError as error:
            failures.append(str(error))
    assert len(failures) == 1
    assert words in failures[0]


def test_a_dataclass_that_can_change_is_refused() -> None:
    @dataclass
    class Loose:
        version: ClassVar[int] = 1
        stream: Stream = Stream(batch_size=2)  # noqa: RUF009 - frozen

    with pytest.raises(AssertionError, match="not frozen"):
        ADAPTATION_CHECKS[0](Loose())
