"""The copies of a network that attacks query: one for what needs fine margins, one for rough gradients."""

from __future__ import annotations

import torch

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.types import ImagesToLogits

from .reduced_precision import Precision, accelerated


class Copies:
    """The network or its copies, made when the size of the images is known.

    In float32 and float16 one copy answers everything. `bfloat16` means a bfloat16 copy for rough gradients and a
    float32 copy for all else: its rounding is eight times coarser than float16's, which the many steps of an ascent
    forgive, but not a search that compares margins.
    """

    def __init__(self, classifier: ImagesToLogits, precision: Precision | None, *, compiled: bool) -> None:
        """Remember what to copy.

        Args:
            classifier: Maps images in [0, 1] to logits.
            precision: Precision of the copies; None queries the network itself.
            compiled: Compile the copies with `torch.compile`.
        """
        self._classifier, self._precision, self._compiled = classifier, precision, compiled
        self._made = precision is None
        self.fine = self.rough = classifier
        """Answers everything but rough gradients, and those; the network itself where it has no copy."""
        self.description = "float32, as it is"

    def make(self, shape: torch.Size, device: torch.device) -> None:
        """Make the copies, unless they exist.

        They are compared with the network on fixed noise, so whether they are used does not depend on the images.

        Args:
            shape: Channels, height and width of the images.
            device: Device of the images.
        """
        if self._made or self._precision is None:
            return
        # The name of the stream determines the noise, and so in rare cases whether a copy is used.
        probe = RandomStreams.of(0, range(4), device).uniform(shape, stream="twin")
        fine: Precision = "float32" if self._precision == "bfloat16" else self._precision
        self.fine, self.description = accelerated(self._classifier, probe, fine, compiled=self._compiled)
        self.rough = self.fine
        if self._precision == "bfloat16" and self.exist:
            rough, description = accelerated(self._classifier, probe, "bfloat16", compiled=self._compiled)
            if rough is not self._classifier:
                self.rough, self.description = rough, f"{self.description}; rough gradients: {description}"
            else:
                self.description += f"; no bfloat16 ({description})"
        self._made = True

    @property
    def exist(self) -> bool:
        """Whether queries go to a copy, not to the network itself."""
        return self.fine is not self._classifier

    @property
    def precision(self) -> Precision:
        """The precision of what is queried: the requested one, where a copy has it."""
        if not self.exist or self._precision is None:
            return "float32"
        return "float32" if self._precision == "bfloat16" and self.rough is self.fine else self._precision
