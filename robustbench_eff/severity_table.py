"""Scores under corruption as a table: a row a corruption, a column a severity."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.table import Table

from robustbench_eff import spec
from robustbench_eff.scores.score import Score

SEVERITIES = range(1, 6)
OVERALL = {"mean_accuracy": "mean accuracy", "mCE": "mCE", "relative_mCE": "relative mCE"}
"""Scores over all corruptions of ImageNet-C, and how they are written."""

Percent = Callable[[float | None, int], str]


def belongs(score: Score) -> bool:
    """Whether the score is of corrupted images."""
    return score.metric in (*OVERALL, "CE") or (score.metric == "accuracy" and score.perturbation != "none")


def severity_tables(scores: Sequence[Score], percent: Percent) -> list[tuple[Table, str]]:
    """A table for each model and benchmark, and a line with what is over all corruptions.

    `scores` are those that belong here; `percent(fraction, digits)` writes a number.
    """
    subjects = dict.fromkeys((score.model, score.benchmark) for score in scores)
    return [
        _table([score for score in scores if (score.model, score.benchmark) == subject], percent)
        for subject in subjects
    ]


def _table(scores: Sequence[Score], percent: Percent) -> tuple[Table, str]:
    cells: dict[str, dict[int, Score]] = {}
    for score in scores:
        if score.metric == "accuracy":
            parsed = spec.parse(score.perturbation)
            cells.setdefault(parsed.name, {})[int(parsed.arguments.get("severity", 1))] = score
    errors = {score.perturbation: score for score in scores if score.metric == "CE"}
    first = scores[0]
    title = f"{first.model} · {first.benchmark}: accuracy in % by severity, n = {first.n}, with 95 % intervals"
    table = Table(title=title, title_justify="left")
    table.add_column("corruption", overflow="fold")
    for name in (*map(str, SEVERITIES), *(["CE"] if errors else [])):
        table.add_column(name, justify="right", no_wrap=True)
    for name, severities in cells.items():
        row = [_number(severities.get(severity), percent) for severity in SEVERITIES]
        table.add_row(name, *row, *([_number(errors.get(name), percent)] if errors else []))
    overall = [
        f"{OVERALL[score.metric]} {percent(score.value, 2)} [{percent(score.low, 2)}, {percent(score.high, 2)}]"
        for score in scores
        if score.metric in OVERALL
    ]
    return table, ", ".join(overall)


def _number(score: Score | None, percent: Percent) -> str:
    if score is None:
        return ""
    return f"{percent(score.value, 1)} [{percent(score.low, 0)}, {percent(score.high, 0)}]"
