"""Scores under corruption as a table: a row a corruption, a column a severity."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from robustbench_eff.core import spec
from robustbench_eff.scores.score import Score

from .formatting import with_interval

SEVERITIES = range(1, 6)
OVERALL = {"mean_accuracy": "mean accuracy", "mCE": "mCE", "relative_mCE": "relative mCE"}
"""Scores over all corruptions of ImageNet-C, and how they are written."""
SEED = " · seed "
"""What stands in a protocol before the seed."""


def belongs(score: Score) -> bool:
    """Whether the score is of corrupted images."""
    return score.metric in (*OVERALL, "CE") or (score.metric == "accuracy" and score.perturbation != "none")


def severity_tables(scores: Sequence[Score]) -> list[tuple[Table, str]]:
    """A table for each model, benchmark, protocol and seed, and a line with what is over all corruptions.

    `scores` are those that belong here.
    """
    return [_table(title, of) for title, of in by_subject(scores).items()]


def by_subject(scores: Sequence[Score]) -> dict[str, list[Score]]:
    """Scores that one table may hold, under its title: of one model, on the same images, with the same draws.

    What is not drawn stands in the tables of every seed.
    """
    groups: dict[tuple[str, str, int], dict[str, list[Score]]] = {}
    for score in scores:
        subject = (score.model, score.benchmark, score.n)
        groups.setdefault(subject, {}).setdefault(score.protocol.partition(SEED)[0], []).append(score)
    tables = {}
    for (model, benchmark, n), protocols in groups.items():
        for protocol, of in protocols.items():
            seeds = sorted({score.protocol.partition(SEED)[2] for score in of} - {""}) or [""]
            for seed in seeds:
                words = [model, benchmark, f"n = {n}", *([protocol] if len(protocols) > 1 else [])]
                title = " · ".join([*words, *([f"seed {seed}"] if len(seeds) > 1 else [])])
                tables[title] = [score for score in of if score.protocol.partition(SEED)[2] in ("", seed)]
    return tables


def row_name(score: Score, scores: Sequence[Score]) -> str:
    """The perturbation's name, with its constants where those of the table differ."""
    parsed = spec.parse(score.perturbation)
    constants = {spec.parse(other.perturbation).arguments.get("constants", "imagenet") for other in scores}
    return parsed.name if len(constants) == 1 else f"{parsed.name}, {parsed.arguments.get('constants', 'imagenet')}"


def _table(title: str, scores: Sequence[Score]) -> tuple[Table, str]:
    cells: dict[str, dict[int, Score]] = {}
    accuracies = [score for score in scores if score.metric == "accuracy"]
    for score in accuracies:
        severity = int(spec.parse(score.perturbation).arguments.get("severity", 1))
        cells.setdefault(row_name(score, accuracies), {})[severity] = score
    errors = {score.perturbation: score for score in scores if score.metric == "CE"}
    table = Table(title=f"{title}: accuracy in % by severity, with 95 % intervals", title_justify="left")
    table.add_column("corruption", overflow="fold")
    for name in (*map(str, SEVERITIES), *(["CE"] if errors else [])):
        table.add_column(name, justify="right", no_wrap=True)
    for name, severities in cells.items():
        row = [*(severities.get(severity) for severity in SEVERITIES), *([errors.get(name)] if errors else [])]
        table.add_row(name, *(with_interval(score, ends=0) for score in row))
    overall = [f"{OVERALL[score.metric]} {with_interval(score, 2)}" for score in scores if score.metric in OVERALL]
    return table, ", ".join(overall)
