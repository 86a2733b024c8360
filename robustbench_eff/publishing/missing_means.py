"""What is missing for means over a set of corruptions or sequences of which a store holds only a part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import NamedTuple

from robustbench_eff.core import spec
from robustbench_eff.core.protocol import Protocol
from robustbench_eff.leaderboards.columns import Layout, layout, presets
from robustbench_eff.leaderboards.entry import Entry, Result
from robustbench_eff.leaderboards.perturbations import SEVERITIES, by_severity
from robustbench_eff.registry.perturbation_sets import CORRUPTION_SETS, SEQUENCE_SETS
from robustbench_eff.scores import corruptions, sequences

MEANS = {"corruption": ("mean_accuracy",), "sequence": ("mean_flip_probability", "mean_top5_distance")}
"""Metrics that exist only over a whole set, on any benchmark."""
RELATIVE_MEANS = {"imagenet_c": ("mCE", "relative_mCE"), "imagenet_p": ("mFR", "mT5D")}
"""Metrics over a set for which AlexNet's figures are known, on benchmarks with its classes."""
WITH_BASELINE = ("mT5D",)
"""Those that need the user's own figures of AlexNet."""
AGAINST_ALEXNET = (*corruptions.AGAINST_ALEXNET, *sequences.AGAINST_ALEXNET)
NAMES = 4
"""Members that a sentence lists at most."""


class _Place(NamedTuple):
    """Where sequences are that a mean may be taken over."""

    benchmark: str
    constants: str
    protocol: Protocol


class _Gap(NamedTuple):
    """A set of which some members are missing."""

    kind: str
    """Whether the members are corruptions or sequences."""
    benchmark: str
    set_name: str
    """The name of the whole set, as an option takes it."""
    complete: tuple[str, ...]
    """The sequences, or corruptions with a severity, that are stored."""
    total: int
    """How many of them the mean needs."""


def missing_means(entries: Iterable[Entry], wanted: Layout) -> list[str]:
    """Return a sentence for every incomplete set of corruptions or sequences of which columns would show a mean.

    Args:
        entries: One entry per model, of which the measured results count.
        wanted: The columns.
    """
    models: dict[_Gap, list[str]] = {}
    for entry in entries:
        for gap in dict.fromkeys([*_corruption_gaps(entry), *_sequence_gaps(entry)]):
            models.setdefault(gap, []).append(entry.model)
    return [_sentence(gap, names) for gap, names in models.items() if _shows_means(wanted, gap)]


def columns_with_results(entries: Sequence[Entry]) -> list[str]:
    """Return the names of the shipped columns that some result belongs to.

    Args:
        entries: One entry per model.
    """
    results = {(kind, result) for entry in entries for kind, result in entry.results()}
    return [
        name
        for name in presets()
        if any(pattern.matches(kind, result) for pattern in layout(name).columns for kind, result in results)
    ]


def _corruption_gaps(entry: Entry) -> Iterator[_Gap]:
    """Yield the sets of which some cells are stored, for every benchmark, protocol and constants."""
    accuracies = [result for result in entry.measured if result.metric == "accuracy" and _is_complete(result)]
    for table in by_severity(accuracies):
        stored: dict[str, dict[str, list[int]]] = {}
        for text, row in table.corruptions.items():
            parsed = spec.parse(text)
            name, constants = parsed.name.removesuffix("_published"), str(parsed.arguments.get("constants", "imagenet"))
            present = [severity for severity, result in zip(SEVERITIES, row, strict=True) if result is not None]
            stored.setdefault(constants, {})[name] = present
        for set_name, of in CORRUPTION_SETS.items():
            severities = stored.get(of.constants, {})
            complete = tuple(
                f"{name} {level}" for name, there in severities.items() if name in of.names for level in there
            )
            if 0 < len(complete) < (total := len(of.names) * len(SEVERITIES)):
                yield _Gap("corruption", table.benchmark, set_name, complete, total)


def _sequence_gaps(entry: Entry) -> Iterator[_Gap]:
    """Yield the sets of which some sequences are stored, for every benchmark, protocol and constants."""
    stored: dict[_Place, dict[str, None]] = {}
    for result in entry.measured:
        if result.metric == "flip_probability" and _is_complete(result):
            parsed = spec.parse(result.perturbation)
            place = _Place(
                result.benchmark, str(parsed.arguments.get("constants", "imagenet")), result.protocol.unseeded()
            )
            stored.setdefault(place, {})[parsed.name.removesuffix("_sequence")] = None
    for (place, present), (set_name, of) in product(stored.items(), SEQUENCE_SETS.items()):
        complete = tuple(name for name in present if name in of.names)
        if place.constants == of.constants and 0 < len(complete) < len(of.names):
            yield _Gap("sequence", place.benchmark, set_name, complete, len(of.names))


def _is_complete(result: Result) -> bool:
    return not any(flag.startswith(("incomplete: ", "drawn at random: ")) for flag in result.flags)


def _means(gap: _Gap) -> list[str]:
    """Return the metrics over the whole set that its benchmark has."""
    return [*MEANS[gap.kind], *(RELATIVE_MEANS.get(gap.set_name, ()) if gap.benchmark in AGAINST_ALEXNET else ())]


def _shows_means(wanted: Layout, gap: _Gap) -> bool:
    """Return whether one of the columns would show a mean over the set."""
    means = [
        Result(benchmark=gap.benchmark, perturbation=gap.set_name, metric=metric, value=None, protocol=Protocol())
        for metric in _means(gap)
    ]
    return any(pattern.matches("measured", result) for pattern in wanted.columns for result in means)


def _sentence(gap: _Gap, models: Sequence[str]) -> str:
    at_severities = f"{gap.total // len(SEVERITIES)} corruptions at {len(SEVERITIES)} severities each"
    needed = f"{at_severities} ({gap.total} cells)" if gap.kind == "corruption" else f"{gap.total} sequences"
    means = [f"{name} with --alexnet-baseline" if name in WITH_BASELINE else name for name in _means(gap)]
    more = f" and {len(gap.complete) - NAMES} more" if len(gap.complete) > NAMES else ""
    return (
        f"{', '.join(models)} on {gap.benchmark}: a mean ({', '.join(means)}) needs {needed}, of which "
        f"{len(gap.complete)} are complete: {', '.join(gap.complete[:NAMES])}{more}. "
        f"Repeat the run with --corruption {gap.set_name} and the same --store to add the others; "
        f"--columns {gap.kind}s shows those that are there."
    )
