"""Score: a number with its interval, how many samples it stands on, and under which protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from robustbench_eff.core.metric import Metric
from robustbench_eff.core.protocol import Protocol
from robustbench_eff.registry.metrics import metric_of

ScoreKind = Literal["none", "attack", "corruption", "sequence", "certificate", "several"]
"""What changed the images: nothing, one perturbation of that kind, or several perturbations together."""


class Ball(NamedTuple):
    """The images that an attack may propose: those within a distance of the clean one."""

    norm: str
    """linf, l2, l1 or l0."""
    eps: float
    """Radius in units of [0, 1] pixels, of l0 in pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A number with its 95 % interval."""

    model: str
    benchmark: str
    perturbation: str
    """Canonical text of the perturbation, or a name for several; `none` for clean images."""
    metric: str
    """Name of the metric with its arguments, such as `robust_accuracy@8/255`."""
    value: float | None
    """A fraction or a number, as the metric says; None where nothing was measured. A distance may be infinite."""
    low: float | None
    """Lower end of the interval; None where there is none."""
    high: float | None
    """Upper end of the interval; that of a distance may be infinite."""
    n: int
    """Number of samples."""
    protocol: Protocol
    searched_to: float | None = None
    """Largest distance that the search allowed; an infinite value or end is above it. None if it had no limit."""
    kind: ScoreKind = "none"
    flags: tuple[str, ...] = ()
    """Sentences that a reader must know before trusting the value."""
    cell: str = ""
    """Id of the cell in its store; empty for a number over several cells."""
    configuration: Mapping[str, Any] = field(default_factory=dict)
    """Configuration of the cell; empty for a number over several cells."""
    ball: Ball | None = None
    """The ball of a number over all attacks inside it; None for any other."""
    detail: str = ""
    """What the value is of, where the metric leaves that open: the worst class, with its number of samples; else
    empty."""

    @property
    def definition(self) -> Metric:
        """The metric: its unit, bounds, direction and section."""
        return metric_of(self.metric)

    @property
    def higher_is_better(self) -> bool:
        """Whether a larger value is better."""
        return self.definition.higher_is_better
