"""How a model's outputs become the classes of a benchmark that has other classes than the model."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

from robustbench_eff.core.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassMap:
    """For each class of a benchmark, the outputs of a model that represent it; all other outputs are ignored.

    Raises:
        UsageError: A class has no outputs, or an output does not exist or represents two classes.
    """

    outputs: int
    """Number of outputs of the model."""
    members: tuple[tuple[int, ...], ...]
    """For each class, the indices of its outputs."""
    aggregation: Literal["max", "mean"] = "max"
    """Score of a class: the highest of its outputs, or the mean of their probabilities."""

    def __post_init__(self) -> None:
        """Check the fields."""
        used = [output for members in self.members for output in members]
        if not all(self.members) or len(set(used)) < len(used) or not set(used) <= set(range(self.outputs)):
            raise UsageError(f"Every class needs outputs of its own from 0 to {self.outputs - 1}.")

    @property
    def digest(self) -> str:
        """Return a hash of all fields."""
        return hashlib.blake2b(repr(self).encode(), digest_size=8).hexdigest()

    def __str__(self) -> str:
        """Return a description in words; it is part of protocols."""
        num_used = sum(map(len, self.members))
        if num_used == len(self.members) and num_used < self.outputs:
            return f"argmax over {num_used} of {self.outputs} outputs"
        how = "mean probability" if self.aggregation == "mean" else "best"
        return f"{len(self.members)} classes by the {how} of {num_used} of {self.outputs} outputs"


def restricted(outputs: int, kept: tuple[int, ...]) -> ClassMap:
    """Return the map that keeps some outputs, each as a class of its own.

    Args:
        outputs: Number of outputs of the model.
        kept: Indices of the outputs to keep, in the order of the classes.
    """
    return ClassMap(outputs=outputs, members=tuple((output,) for output in kept))
