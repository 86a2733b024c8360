"""The contract batteries of the suite over the components of this plugin."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from acme_robustness.attack import GradientAscent
from acme_robustness.benchmark import UPSIDE_DOWN_DIGITS
from acme_robustness.corruption import VIGNETTE
from acme_robustness.defense import Confident
from acme_robustness.model_source import CENTROIDS
from acme_robustness.score import MEAN_CONFIDENCE_GAP

from robustbench_eff import testing
from robustbench_eff.models.request import ModelRequest

EXAMPLE = testing.ModelExample(CENTROIDS, "digits", ModelRequest(name="acme/centroids:digits"))
BATTERIES = [
    (testing.ATTACK_CHECKS, GradientAscent),
    (testing.CORRUPTION_CHECKS, VIGNETTE),
    (testing.BENCHMARK_CHECKS, UPSIDE_DOWN_DIGITS),
    (testing.DEFENSE_CHECKS, Confident),
    (testing.SCORE_CHECKS, MEAN_CONFIDENCE_GAP),
    (
        testing.MODEL_SOURCE_CHECKS,
        testing.ModelExample(CENTROIDS, "digits", ModelRequest(name="acme/centroids:digits")),
    ),
]
CASES = [pytest.param(check, component, id=check.__name__) for checks, component in BATTERIES for check in checks]


@pytest.mark.parametrize(("check", "component"), CASES)
def test_the_contract_holds(check: Callable[[object], None], component: object) -> None:
    check(component)
