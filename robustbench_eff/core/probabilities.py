"""Whether a network returns probabilities where logits are expected."""

from __future__ import annotations

from .types import Logits

ROUNDING = 1e-2
"""Largest deviation from 1 of a sum of probabilities that were computed in 16 bits."""

RETURNED_PROBABILITIES = "returns probabilities (each row is in [0, 1] and sums to 1), not logits."
"""Message about such a network, after its name."""
RETURN_LOGITS = "Attacks on a softmax see vanishing gradients and look too weak: return the logits, or their log."
"""The hint beside it."""


def is_probability(logits: Logits) -> bool:
    """Return True if every row could be the output of a softmax: in [0, 1] with sum 1.

    Args:
        logits: Output of a network, shape (batch, classes).
    """
    return bool(logits.min() >= 0 and logits.max() <= 1 and (logits.sum(1) - 1).abs().max() < ROUNDING)
