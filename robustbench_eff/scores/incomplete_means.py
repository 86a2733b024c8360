"""Means over a set of corruptions or sequences that do not exist, because only a part of the set was evaluated."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from robustbench_eff.core import spec
from robustbench_eff.core.errors import SpecError
from robustbench_eff.core.flags import FAILED, PARTIAL
from robustbench_eff.core.protocol import RISING_SEVERITY
from robustbench_eff.core.protocol import Protocol as ImageProtocol
from robustbench_eff.registry.perturbation_sets import CORRUPTION_SETS, SEQUENCE_SETS, AveragedSet

from . import corruptions, sequences

SEVERITIES = range(1, 6)
MEANS = {"corruption": ("mean_accuracy",), "sequence": ("mean_flip_probability", "mean_top5_distance")}
"""Metrics that exist only over a whole set, on any benchmark."""
RELATIVE_MEANS = {"imagenet_c": ("mCE", "relative_mCE"), "imagenet_p": ("mFR", "mT5D")}
"""Metrics over a set for which AlexNet's figures are known, on benchmarks with its classes."""
WITH_BASELINE = ("mT5D",)
"""Those that need the user's own figures of AlexNet."""
AGAINST_ALEXNET = (*corruptions.AGAINST_ALEXNET, *sequences.AGAINST_ALEXNET)
NAMES = 4
"""Members that a sentence lists at most."""
_SETS: Mapping[str, Mapping[str, AveragedSet]] = {"corruption": CORRUPTION_SETS, "sequence": SEQUENCE_SETS}
_METRICS = {"accuracy": "corruption", "flip_probability": "sequence"}
"""What a number is of, by the metric that every cell of that kind has."""


class Measured(Protocol):
    """A number of one cell: a score, or a result of an entry."""

    @property
    def benchmark(self) -> str: ...  # noqa: D102
    @property
    def perturbation(self) -> str: ...  # noqa: D102
    @property
    def metric(self) -> str: ...  # noqa: D102
    @property
    def value(self) -> float | None: ...  # noqa: D102
    @property
    def protocol(self) -> ImageProtocol: ...  # noqa: D102
    @property
    def flags(self) -> tuple[str, ...]: ...  # noqa: D102


class IncompleteSet(NamedTuple):
    """A set that was begun and of which some members are missing."""

    kind: str
    """Whether the members are corruptions or sequences."""
    benchmark: str
    set_name: str
    """The name of the whole set, as an option takes it."""
    complete: tuple[str, ...]
    """The sequences, or corruptions with a severity, that are stored."""
    missing: tuple[str, ...]
    """The others, with what there is of a cell that was begun, such as `fog 3 (incomplete: 40 of 100)`."""

    @property
    def means(self) -> tuple[str, ...]:
        """Metrics over the whole set that its benchmark would have."""
        relative = RELATIVE_MEANS.get(self.set_name, ()) if self.benchmark in AGAINST_ALEXNET else ()
        return (*MEANS[self.kind], *relative)


class _Place(NamedTuple):
    """Where cells are that a mean may be taken over."""

    kind: str
    benchmark: str
    constants: str
    protocol: ImageProtocol


class _Member(NamedTuple):
    """A corruption with its severity, or a sequence."""

    name: str
    severity: int | None

    def __str__(self) -> str:
        return self.name if self.severity is None else f"{self.name} {self.severity}"


def incomplete_sets(numbers: Iterable[Measured]) -> list[IncompleteSet]:
    """Return every set of corruptions or sequences that was begun and is not complete, each once.

    There is one for every benchmark, protocol and seed; cells that draw nothing belong to every seed. Streams of rising
    severity have no means, so that nothing is missing.

    Args:
        numbers: The numbers of one model.
    """
    places: dict[_Place, dict[tuple[int, ...], dict[_Member, str]]] = {}
    for number in numbers:
        found = _member(number)
        if found is not None and RISING_SEVERITY not in number.protocol.stream:
            constants, member = found
            place = _Place(_METRICS[number.metric], number.benchmark, constants, number.protocol.unseeded())
            places.setdefault(place, {}).setdefault(number.protocol.seeds, {})[member] = _reason(number)
    result: dict[IncompleteSet, None] = {}
    for place, by_seed in places.items():
        for seeds in sorted(set(by_seed) - {()}) or [()]:
            result |= dict.fromkeys(_incomplete_of(place, by_seed.get((), {}) | by_seed.get(seeds, {})))
    return list(result)


def sentence(incomplete: IncompleteSet, models: Sequence[str]) -> str:
    """Return what the means of an incomplete set need, what is missing, begun cells first, and how to add it.

    Args:
        incomplete: The set.
        models: Names of the models that have it.
    """
    total = len(incomplete.complete) + len(incomplete.missing)
    at_severities = f"{total // len(SEVERITIES)} corruptions at {len(SEVERITIES)} severities each"
    needed = f"{at_severities} ({total} cells)" if incomplete.kind == "corruption" else f"{total} sequences"
    means = [f"{name} with --alexnet-baseline" if name in WITH_BASELINE else name for name in incomplete.means]
    few = 0 < len(incomplete.complete) <= len(incomplete.missing)
    complete = f": {_listed(incomplete.complete)}" if few else ""
    begun_first = sorted(incomplete.missing, key=lambda member: not member.endswith(")"))
    return (
        f"{', '.join(models)} on {incomplete.benchmark}: a mean ({', '.join(means)}) needs {needed}, of which "
        f"{len(incomplete.complete)} {'is' if len(incomplete.complete) == 1 else 'are'} complete{complete}; "
        f"missing: {_listed(begun_first)}. "
        f"Repeat the run with --corruption {incomplete.set_name} and the same --store to add the others"
    )


def plain(incomplete: IncompleteSet, model: str) -> dict[str, Any]:
    """Return an incomplete set as plain JSON types.

    Args:
        incomplete: The set.
        model: Name of the model that has it.
    """
    fields = {"benchmark": incomplete.benchmark, "set": incomplete.set_name, "means": list(incomplete.means)}
    return {"model": model, **fields, "complete": list(incomplete.complete), "missing": list(incomplete.missing)}


def _member(number: Measured) -> tuple[str, _Member] | None:
    """The constants and the member that a number is of; None for any other number."""
    kind = _METRICS.get(number.metric)
    if kind is None or ("severity" if kind == "corruption" else "_sequence") not in number.perturbation:
        return None
    try:
        parsed = spec.parse(number.perturbation)
    except SpecError:  # a description of a published table
        return None
    constants, severity = str(parsed.arguments.get("constants", "imagenet")), parsed.arguments.get("severity")
    if kind == "sequence":
        return constants, _Member(parsed.name.removesuffix("_sequence"), None)
    name = parsed.name.removesuffix("_published")
    return (constants, _Member(name, severity)) if severity in SEVERITIES else None


def _reason(number: Measured) -> str:
    """Why a number is not one of a complete cell; empty if it is."""
    if any(flag.startswith(FAILED) for flag in number.flags):
        return "failed"
    return next((flag for flag in number.flags if flag.startswith(PARTIAL)), "")


def _incomplete_of(place: _Place, stored: Mapping[_Member, str]) -> Iterator[IncompleteSet]:
    """The sets with these constants of which something is stored, but not all."""
    for set_name, of in _SETS[place.kind].items():
        severities = SEVERITIES if place.kind == "corruption" else (None,)
        members = [_Member(name, severity) for name in of.names for severity in severities]
        if of.constants != place.constants or not any(member in stored for member in members):
            continue
        complete = [str(member) for member in stored if member in set(members) and not stored[member]]
        missing = [
            f"{member} ({reason})" if (reason := stored.get(member, "")) else str(member)
            for member in members
            if str(member) not in complete
        ]
        if missing:
            yield IncompleteSet(place.kind, place.benchmark, set_name, tuple(complete), tuple(missing))


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMES} more" if len(names) > NAMES else ""
    return ", ".join(names[:NAMES]) + more
