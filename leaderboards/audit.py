"""Measured minus published, where both are of the same thing."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from .entry import Entry, Result, Unit
from .table import number_text
from .table_formats import as_text, no_formula


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Of one number; the ends are None where neither number has an interval."""

    model: str
    benchmark: str
    perturbation: str
    metric: str
    measured: float
    n: int | None
    measured_under: str
    """Protocol of the measured number."""
    theirs: float
    value: float
    low: float | None
    high: float | None
    unit: Unit
    protocol: str
    """Of the other number."""
    kind: str
    """Published, or claimed by the model's authors."""

    @property
    def is_certain(self) -> bool:
        """Whether 0 lies outside the interval."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def audit(entries: Iterable[Entry]) -> list[Difference]:
    """Every measured number against every published or claimed one of the same benchmark, change and metric.

    The interval is made of those of both (Zou & Donner 2008, Statistics in Medicine 27(10), square-and-add); a number
    without one counts as exact. Protocols differ, and may be the reason.
    """
    found = []
    for entry in entries:
        others = [(kind, result) for kind, result in entry.results() if kind != "measured" and result.value is not None]
        for ours in entry.measured:
            same = [(kind, theirs) for kind, theirs in others if _same(ours, theirs)]
            found += [_difference(entry.model, ours, kind, theirs) for kind, theirs in same if ours.value is not None]
    return found


def _same(ours: Result, theirs: Result) -> bool:
    return all(getattr(ours, name) == getattr(theirs, name) for name in ("benchmark", "perturbation", "metric", "unit"))


def _difference(model: str, ours: Result, kind: str, theirs: Result) -> Difference:
    assert ours.value is not None and theirs.value is not None
    value = ours.value - theirs.value
    below = [part for part in (_arm(ours, "low"), _arm(theirs, "high")) if part is not None]
    above = [part for part in (_arm(ours, "high"), _arm(theirs, "low")) if part is not None]
    return Difference(
        model=model,
        benchmark=ours.benchmark,
        perturbation=ours.perturbation,
        metric=ours.metric,
        measured=ours.value,
        n=ours.n,
        measured_under=ours.protocol,
        theirs=theirs.value,
        value=value,
        low=value - math.hypot(*below) if below else None,
        high=value + math.hypot(*above) if above else None,
        unit=ours.unit,
        protocol=theirs.protocol,
        kind=kind,
    )


def _arm(result: Result, end: str) -> float | None:
    """How far the interval reaches to that side."""
    reached = getattr(result, end)
    return None if reached is None or result.value is None else abs(reached - result.value)


HEADS = (
    "model",
    "benchmark",
    "perturbation",
    "metric",
    "measured",
    "theirs",
    "difference",
    "interval",
    "measured under",
    "theirs under",
)


def lines(differences: Sequence[Difference], digits: int = 2) -> list[list[str]]:
    """As texts, in the order of HEADS; differences that are certain in bold, as Markdown writes it."""
    found = []
    for one in differences:
        numbers = [number_text(number, one.unit, digits) for number in (one.measured, one.theirs)]
        sign = "+" if one.value > 0 else ""
        value = f"{sign}{number_text(one.value, one.unit, digits)}"
        ends = [None if end is None else number_text(end, one.unit, digits) for end in (one.low, one.high)]
        interval = "" if None in ends else f"[{', '.join(map(str, ends))}]"
        names = [as_text(text) for text in (one.model, one.benchmark, one.perturbation, one.metric)]
        marked = f"**{value}**" if one.is_certain else value
        protocols = [as_text(text) for text in (one.measured_under, f"{one.kind}: {one.protocol}")]
        found.append([*names, *numbers, marked, interval, *protocols])
    return found


def markdown(differences: Sequence[Difference]) -> str:
    """Bold where 0 lies outside the interval."""
    rows = [HEADS, ["---"] * 4 + ["---:"] * 4 + ["---"] * 2, *lines(differences)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def as_csv(differences: Sequence[Difference]) -> str:
    """Nothing rounded."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(Difference.__dataclass_fields__)
    writer.writerows([no_formula(value) for value in asdict(one).values()] for one in differences)
    return file.getvalue()


def as_json(differences: Sequence[Difference]) -> str:
    """The objects as they are."""
    return json.dumps([asdict(one) for one in differences], indent=1, ensure_ascii=False) + "\n"


FORMATS: Mapping[str, Callable[[Sequence[Difference]], str]] = {"csv": as_csv, "json": as_json, "md": markdown}
"""By the ending of a file's name."""
