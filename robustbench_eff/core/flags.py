"""Beginnings of flags that reports recognise; a flag is a sentence that a reader must know before trusting a number."""

from __future__ import annotations

from collections.abc import Iterable

MASKING_SUSPECTED = "masking suspected: "
"""Followed by the name of the check for gradient masking that puts the number in doubt."""
UNRELIABLE = "potentially unreliable: "
"""Followed by who says that the attack may overestimate the robustness of this model."""
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
