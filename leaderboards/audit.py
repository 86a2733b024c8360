"""Measured minus published, where both are numbers of the same thing."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from robustbench_eff.core.infinity import strict_json
from robustbench_eff.core.markdown_text import as_markdown

from .entry import Entry, Kind, Result, Unit
from .table import number_text
from .table_formats import no_formula

ATTACK = "attack"
"""Family of entries whose published numbers are those of an attack on several models."""
NO_DIFFERENCE = "an infinite number has no difference from another"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A measured number minus a published or claimed one."""

    model: str
    benchmark: str
    perturbation: str
    metric: str
    measured: float
    n: int | None
    """Number of samples behind the measured number."""
    measured_under: str
    """Protocol of the measured number."""
    theirs: float
    value: float | None
    """The difference; None where a number is infinite, which a flag says."""
    low: float | None
    """Lower end of its interval; None if neither number has an interval."""
    high: float | None
    """Upper end of its interval; None if neither number has an interval."""
    unit: Unit
    protocol: str
    """Protocol of the other number."""
    kind: str
    """Kind of the other number: published, or claimed by the authors of the model."""
    flags: tuple[str, ...] = ()
    """Warnings about either number."""

    @property
    def is_certain(self) -> bool:
        """Whether 0 lies outside the interval."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def audit(entries: Iterable[Entry]) -> list[Difference]:
    """Compare every measured number with every published or claimed one of the same thing.

    The same thing is the same benchmark, perturbation, metric and unit. Protocols differ, and may explain the
    difference. What is published of an attack, and not of a model, is compared with every model that was measured under
    it, with a flag. The interval combines those of both numbers; a number without an interval counts as exact.

    Args:
        entries: Entries that hold both measured and published or claimed results.

    Source: Zou & Donner 2008, Statistics in Medicine 27(10), square-and-add.
    """
    differences = []
    entries = list(entries)
    of_attacks = [theirs for entry in entries if entry.family == ATTACK for theirs in _theirs(entry)]
    for entry in entries:
        others = [*_theirs(entry), *of_attacks]
        for ours in entry.measured:
            if ours.value is not None:
                same = [(kind, theirs) for kind, theirs in others if _is_of_the_same(ours, theirs)]
                differences += [_difference(entry.model, ours, kind, theirs) for kind, theirs in same]
    return differences


def _theirs(entry: Entry) -> Iterator[tuple[Kind, Result]]:
    """Yield the published and claimed numbers of an entry; those of an attack say that they are of other models."""
    for kind, result in entry.results():
        if kind != "measured" and result.value is not None:
            flags = (f"theirs is of other models: {entry.model}",) if entry.family == ATTACK else ()
            yield kind, result.model_copy(update={"flags": (*result.flags, *flags)})


def _is_of_the_same(ours: Result, theirs: Result) -> bool:
    return all(getattr(ours, name) == getattr(theirs, name) for name in ("benchmark", "perturbation", "metric", "unit"))


def _difference(model: str, ours: Result, kind: str, theirs: Result) -> Difference:
    assert ours.value is not None and theirs.value is not None
    is_finite = math.isfinite(ours.value) and math.isfinite(theirs.value)
    value = ours.value - theirs.value if is_finite else None
    below = [arm for arm in (_arm(ours, "low"), _arm(theirs, "high")) if arm is not None]
    above = [arm for arm in (_arm(ours, "high"), _arm(theirs, "low")) if arm is not None]
    return Difference(
        model=model,
        benchmark=ours.benchmark,
        perturbation=ours.perturbation,
        metric=ours.metric,
        measured=ours.value,
        n=ours.n,
        measured_under=str(ours.protocol),
        theirs=theirs.value,
        value=value,
        low=value - math.hypot(*below) if below and value is not None else None,
        high=value + math.hypot(*above) if above and value is not None else None,
        unit=ours.unit,
        protocol=str(theirs.protocol),
        kind=kind,
        flags=tuple(dict.fromkeys([*ours.flags, *theirs.flags, *([] if is_finite else [NO_DIFFERENCE])])),
    )


def _arm(result: Result, end: str) -> float | None:
    """Return the distance from the value to that end of its interval."""
    limit = getattr(result, end)
    return None if limit is None or result.value is None else abs(limit - result.value)


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
    "flags",
)


def lines(differences: Sequence[Difference], digits: int = 2) -> list[list[str]]:
    """Return a row of Markdown cells for each difference, in the order of HEADS.

    Args:
        differences: What to write; differences that are certain are written in bold.
        digits: Digits after the point of fractions, which are written in percent.
    """
    rows = []
    for difference in differences:
        unit = difference.unit
        numbers = [number_text(number, unit, digits) for number in (difference.measured, difference.theirs)]
        sign = "+" if (difference.value or 0) > 0 else ""
        value = f"{sign}{number_text(difference.value, unit, digits)}"
        names = (difference.model, difference.benchmark, difference.perturbation, difference.metric)
        protocols = (difference.measured_under, f"{difference.kind}: {difference.protocol}")
        rows.append(
            [
                *map(as_markdown, names),
                *numbers,
                f"**{value}**" if difference.is_certain else value,
                _interval_text(difference, digits),
                *map(as_markdown, (*protocols, "; ".join(difference.flags))),
            ]
        )
    return rows


def _interval_text(difference: Difference, digits: int) -> str:
    if difference.low is None or difference.high is None:
        return ""
    low, high = (number_text(end, difference.unit, digits) for end in (difference.low, difference.high))
    return f"[{low}, {high}]"


def markdown(differences: Sequence[Difference]) -> str:
    """Return a Markdown table, with differences in bold where 0 lies outside the interval.

    Args:
        differences: The rows.
    """
    rows = [HEADS, ["---"] * 4 + ["---:"] * 4 + ["---"] * 3, *lines(differences)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def as_csv(differences: Sequence[Difference]) -> str:
    """Return CSV with unrounded numbers.

    Args:
        differences: The rows.
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(Difference.__dataclass_fields__)
    for difference in differences:
        fields = asdict(difference) | {"flags": "; ".join(difference.flags)}
        writer.writerow([no_formula(value) for value in fields.values()])
    return file.getvalue()


def as_json(differences: Sequence[Difference]) -> str:
    """Return a JSON list of objects with all fields, unrounded; an infinite number is the text `inf`.

    Args:
        differences: The objects.
    """
    content = strict_json([asdict(difference) for difference in differences])
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


FORMATS: Mapping[str, Callable[[Sequence[Difference]], str]] = {"csv": as_csv, "json": as_json, "md": markdown}
"""Writers by file name extension."""
