"""What a score is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A number with its 95 % interval, how many samples it stands on, and under which protocol."""

    model: str
    benchmark: str
    perturbation: str
    metric: str
    value: float | None
    """A fraction, or a distance; None where nothing was measured (n is 0) or a distance has no end."""
    low: float | None
    high: float | None
    n: int
    protocol: str
    flags: tuple[str, ...] = ()
    """What a reader must know before trusting the value."""
    higher_is_better: bool = True
    cell: str = ""
    """Id of the cell in its store."""
