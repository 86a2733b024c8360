"""What is missing for means over a set of corruptions or sequences of which a store holds only a part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from robustbench_eff.core import spec
from robustbench_eff.core.protocol import Protocol
from robustbench_eff.leaderboards.columns import Layout, layout, presets
from robustbench_eff.leaderboards.entry import Entry, Result
from robustbench_eff.leaderboards.perturbations import SEVERITIES, by_severity
from robustbench_eff.registry.perturbation_sets import IMAGENET_C
from robustbench_eff.scores import corruptions, sequences
from robustbench_eff.scores.sequences import SEQUENCE_SETS

MEANS = {"corruption": ("mean_accuracy",), "sequence": ("mean_flip_probability", "mean_top5_distance")}
"""Metrics that exist only over a whole set, on any benchmark."""
RELATIVE_MEANS = {"corruption": ("mCE", "relative_mCE"), "sequence": ("mFR", "mT5D")}
"""The same for benchmarks on which AlexNet's figures are known."""
AGAINST_ALEXNET = (*corruptions.AGAINST_ALEXNET, *sequences.AGAINST_ALEXNET)
NAMES = 4
"""Members that a sentence lists at most."""


class _Set(NamedTuple):
    """Corruptions or sequences that a mean may be taken over."""

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
    there: tuple[str, ...]
    total: int
    """Number of members that the mean needs."""


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
    """Yield the sets of which some of the 75 cells are stored, for every benchmark, protocol and constants."""
    accuracies = [result for result in entry.measured if result.metric == "accuracy" and _is_complete(result)]
    for table in by_severity(accuracies):
        stored: dict[str, dict[str, list[int]]] = {}
        for text, row in table.corruptions.items():
            parsed = spec.parse(text)
            name, constants = parsed.name.removesuffix("_published"), str(parsed.arguments.get("constants", "imagenet"))
            if name in IMAGENET_C:
                present = [severity for severity, result in zip(SEVERITIES, row, strict=True) if result is not None]
                stored.setdefault(constants, {})[name] = present
        for constants, severities in stored.items():
            total = len(IMAGENET_C) * len(SEVERITIES)
            if sum(map(len, severities.values())) < total:
                there = tuple(f"{name} {severity}" for name, of in severities.items() for severity in of)
                yield _Gap("corruption", table.benchmark, f"{constants}_c", there, total)


def _sequence_gaps(entry: Entry) -> Iterator[_Gap]:
    """Yield the sets of which some sequences are stored, for every benchmark, protocol and constants."""
    stored: dict[_Set, dict[str, None]] = {}
    for result in entry.measured:
        if result.metric == "flip_probability" and _is_complete(result):
            parsed = spec.parse(result.perturbation)
            constants = str(parsed.arguments.get("constants", "imagenet"))
            name = parsed.name.removesuffix("_sequence")
            if name in SEQUENCE_SETS[constants]:
                stored.setdefault(_Set(result.benchmark, constants, result.protocol.unseeded()), {})[name] = None
    for of, names in stored.items():
        if len(names) < (total := len(SEQUENCE_SETS[of.constants])):
            yield _Gap("sequence", of.benchmark, f"{of.constants}_p", tuple(names), total)


def _is_complete(result: Result) -> bool:
    return not any(flag.startswith(("incomplete: ", "drawn at random: ")) for flag in result.flags)


def _means(gap: _Gap) -> list[str]:
    """Return the metrics over the whole set that its benchmark has."""
    return [*MEANS[gap.kind], *(RELATIVE_MEANS[gap.kind] if gap.benchmark in AGAINST_ALEXNET else ())]


def _shows_means(wanted: Layout, gap: _Gap) -> bool:
    """Return whether one of the columns would show a mean over the set."""
    means = [
        Result(benchmark=gap.benchmark, perturbation=gap.set_name, metric=metric, value=None, protocol=Protocol())
        for metric in _means(gap)
    ]
    return any(pattern.matches("measured", result) for pattern in wanted.columns for result in means)


def _sentence(gap: _Gap, models: Sequence[str]) -> str:
    needed = {
        "corruption": f"{len(IMAGENET_C)} corruptions at {len(SEVERITIES)} severities each ({gap.total} cells)",
        "sequence": f"{gap.total} sequences",
    }
    more = f" and {len(gap.there) - NAMES} more" if len(gap.there) > NAMES else ""
    return (
        f"{', '.join(models)} on {gap.benchmark}: a mean ({', '.join(_means(gap))}) needs {needed[gap.kind]}, of which "
        f"{len(gap.there)} are complete: {', '.join(gap.there[:NAMES])}{more}. "
        f"Repeat the run with --corruption {gap.set_name} and the same --store to add the others; "
        f"--columns {gap.kind}s shows those that are there."
    )
