"""Which of a model's outputs stand for the classes of a benchmark that has other classes than the model."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

from robustbench_eff.core.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassMap:
    """For each class of a benchmark the outputs that stand for it; the other outputs are not asked.

    A class scores as high as the highest of its outputs (`max`), or by the mean of their probabilities (`mean`).
    Raises UsageError for a class without outputs, and for an output that a model of `outputs` does not have or that
    stands for two classes.
    """

    outputs: int
    members: tuple[tuple[int, ...], ...]
    aggregation: Literal["max", "mean"] = "max"

    def __post_init__(self) -> None:
        asked = [output for members in self.members for output in members]
        if not all(self.members) or len(set(asked)) < len(asked) or not set(asked) <= set(range(self.outputs)):
            raise UsageError(f"Every class needs outputs of its own from 0 to {self.outputs - 1}.")

    @property
    def digest(self) -> str:
        """A hash of all its fields."""
        return hashlib.blake2b(repr(self).encode(), digest_size=8).hexdigest()

    def __str__(self) -> str:
        asked = sum(map(len, self.members))
        if asked == len(self.members) and asked < self.outputs:
            return f"argmax over {asked} of {self.outputs} outputs"
        how = "mean probability" if self.aggregation == "mean" else "best"
        return f"{len(self.members)} classes by the {how} of {asked} of {self.outputs} outputs"


def restricted(outputs: int, kept: tuple[int, ...]) -> ClassMap:
    """Every output in `kept` is a class of its own, in that order."""
    return ClassMap(outputs=outputs, members=tuple((output,) for output in kept))
