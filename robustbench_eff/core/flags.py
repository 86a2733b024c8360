"""Beginnings of flags that reports recognise; a flag is a sentence that a reader must know before trusting a number."""

from __future__ import annotations

from collections.abc import Iterable

MASKING_SUSPECTED = "masking suspected: "
"""Followed by the name of the check for gradient masking that puts the number in doubt."""
UNRELIABLE = "potentially unreliable: "
"""Followed by who says that the attack may overestimate the robustness of this model."""
AT_CHANCE = "not above chance: "
"""Followed by the counts, for a clean accuracy that guessing could give."""
CAUSES_OF_CHANCE = (
    "Usual causes: mean and std of another network, or in units of 0 to 255 (--mean, --std); images of another size "
    "than in training (--input-size, --geometry); classes in another order, or labels from 1 (--class-order)."
)
"""What to check where a clean accuracy is not above chance."""
FAILED = "failed: "
"""Followed by the reason why there is no number."""


def suspects_masking(flags: Iterable[str]) -> bool:
    """Return whether a number may be too high because of masked gradients.

    Args:
        flags: Flags of the number.
    """
    return any(flag.startswith(MASKING_SUSPECTED) for flag in flags)


def is_doubted(flags: Iterable[str]) -> bool:
    """Return whether a number may be too high, because of masked gradients or because its source says so.

    Args:
        flags: Flags of the number.
    """
    return any(flag.startswith((MASKING_SUSPECTED, UNRELIABLE)) for flag in flags)
