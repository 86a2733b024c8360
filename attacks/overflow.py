"""Overflow of a low-precision copy: where its answers are not finite, the plain network is queried instead."""

from __future__ import annotations

import torch
from torch import Tensor

from robustbench_eff.core.accelerators import steps_between_readings
from robustbench_eff.core.types import Images, Logits, Mask, SampleIndices

from .pass_counts import PassCounts

OVERFLOWED = "queried float32 where the low-precision copy overflowed"
MOST_UNREAD = 16
"""Passes after which an accelerator's answers are looked at in any case."""


class Overflow:
    """Looks for answers that are not finite: at once on a CPU, on an accelerator together with the successes.

    From the first overflow that was found late, every pass is looked at at once. Until then, at most for the steps
    between two readings, the samples of that overflow have not moved.
    """

    def __init__(self) -> None:
        """Begin without answers."""
        self._sums: list[Tensor] = []
        """Sums of answers that have not been read; finite if the answers are."""
        self._was_found = False

    def where(
        self, counts: PassCounts, rows: SampleIndices, logits: Logits, gradient: Images | None = None
    ) -> Mask | None:
        """Return where an answer is not finite; None if there is none, or if it is read later.

        Args:
            counts: Statistics of the attack, for the passes of the plain network and a note.
            rows: Index of the sample that each image belongs to.
            logits: Logits of the images.
            gradient: Their gradients, if there are.
        """
        if steps_between_readings(logits.device) > 1 and not self._was_found:
            self._sums.append(logits.sum() if gradient is None else logits.sum() + gradient.sum())
            if len(self._sums) == MOST_UNREAD:
                self.read(self.unread().any())
            return None
        values = logits if gradient is None else torch.cat((logits, gradient.flatten(1).abs().amax(1, keepdim=True)), 1)
        overflowed: Mask = ~values.isfinite().all(1)
        if not overflowed.any():
            return None
        counts.add_at_once(rows[overflowed], 1, backwards=gradient is not None)
        counts.note(OVERFLOWED)
        return overflowed

    def unread(self) -> Mask:
        """Return which of the passes that have not been read overflowed, for the caller to read."""
        sums, self._sums = self._sums, []
        return ~torch.stack(sums).isfinite() if sums else torch.zeros(0, dtype=torch.bool)

    def read(self, found: Tensor | bool) -> None:
        """Take notice of what was read.

        Args:
            found: Whether one of the passes overflowed.
        """
        self._was_found |= bool(found)

    def finish(self, counts: PassCounts) -> None:
        """Read what has not been read, and note what was found late.

        Args:
            counts: Statistics of the attack.
        """
        self.read(self.unread().any())
        if self._was_found:
            counts.note(f"{OVERFLOWED}, at first a few steps late")
