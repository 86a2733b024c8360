"""Contract checks for components: those of this package pass them, and plugins can run them too.

    import pytest
    from robustbench_eff.testing import ATTACK_CHECKS

    @pytest.mark.parametrize("check", ATTACK_CHECKS, ids=lambda check: check.__name__)
    def test_my_attack(check):
        check(MyAttack)

`CORRUPTION_CHECKS` take a `Kernel`. A check raises an AssertionError that states which requirement is violated.
"""

from __future__ import annotations

from .attacks import ATTACK_CHECKS
from .corruptions import CORRUPTION_CHECKS

__all__ = ["ATTACK_CHECKS", "CORRUPTION_CHECKS"]
