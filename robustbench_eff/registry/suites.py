"""The table of suites shipped with the package."""

from __future__ import annotations

from collections.abc import Mapping

SUITES: Mapping[str, str] = {
    "autoattack": "clean and AutoAttack, L∞ and L2",
    "corruptions": "clean and the corruptions of the benchmark's set at 5 severities",
    "masking": "the attacks that the checks for gradient masking compare",
    "quick": "clean, FGSM and PGD-10 at one ε",
    "sequences": "clean and sequences of frames at 3 difficulties",
    "shifts": "natural shifts of ImageNet, and cue conflict",
    "standard": "clean, FGSM and PGD at several ε, L∞ and L2",
    "try": "a first look: clean, FGSM, PGD-10 and five corruptions",
}
