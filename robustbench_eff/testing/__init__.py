"""Test batteries for components: every row of the package passes them, and plugins can run them too.

    import pytest
    from robustbench_eff.testing import ATTACK_CHECKS

    @pytest.mark.parametrize("check", ATTACK_CHECKS, ids=lambda check: check.__name__)
    def test_my_attack(check):
        check(MyAttack)

`CORRUPTION_CHECKS` take a `Kernel`, `SEQUENCE_CHECKS` a `SequenceKernel` and `STYLISER_CHECKS` a styliser. A check
raises AssertionError with a message that names the broken rule.
"""

from __future__ import annotations

from .attacks import ATTACK_CHECKS
from .corruptions import CORRUPTION_CHECKS
from .sequences import SEQUENCE_CHECKS
from .stylisers import STYLISER_CHECKS

__all__ = ["ATTACK_CHECKS", "CORRUPTION_CHECKS", "SEQUENCE_CHECKS", "STYLISER_CHECKS"]
