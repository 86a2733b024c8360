"""Contract batteries for components: every row of the package passes them, and plugins can run them too.

    import pytest
    from robustbench_eff.testing import ATTACK_CHECKS

    @pytest.mark.parametrize("check", ATTACK_CHECKS, ids=lambda check: check.__name__)
    def test_my_attack(check):
        check(MyAttack)

A check raises AssertionError with a message that names the broken rule. ATTACK_CHECKS take the class of an attack,
CORRUPTION_CHECKS a `Kernel`, SEQUENCE_CHECKS a `SequenceKernel`, STYLISER_CHECKS a styliser, DEFENSE_CHECKS the class
of a recipe, ADAPTATION_CHECKS an adaptation, BENCHMARK_CHECKS a `Benchmark`, READER_CHECKS a reader with a path that it
understands, SCORE_CHECKS a `CellScores` or `GroupScores`, and MODEL_SOURCE_CHECKS a `ModelExample`.
"""

from __future__ import annotations

from .adaptations import ADAPTATION_CHECKS
from .attacks import ATTACK_CHECKS
from .benchmarks import BENCHMARK_CHECKS, READER_CHECKS
from .corruptions import CORRUPTION_CHECKS
from .defenses import DEFENSE_CHECKS
from .model_sources import MODEL_SOURCE_CHECKS, ModelExample
from .scores import SCORE_CHECKS
from .sequences import SEQUENCE_CHECKS
from .stylisers import STYLISER_CHECKS

__all__ = [
    "ADAPTATION_CHECKS",
    "ATTACK_CHECKS",
    "BENCHMARK_CHECKS",
    "CORRUPTION_CHECKS",
    "DEFENSE_CHECKS",
    "MODEL_SOURCE_CHECKS",
    "READER_CHECKS",
    "SCORE_CHECKS",
    "SEQUENCE_CHECKS",
    "STYLISER_CHECKS",
    "ModelExample",
]
