"""Shape against texture as tables: one row per model, and one row per class of the shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table
from rich.text import Text

from robustbench_eff.scores.score import Score

from .formatting import with_interval
from .score_rows import Marks, Printed

OF_CLASS = "shape_bias of "
OVERALL = {"shape_bias": "shape bias", "shape_decisions": "shape named", "texture_decisions": "texture named"}
"""Headings by metric."""
WITH_PEOPLE = "error_consistency"


def cue_conflict_tables(scores: Sequence[Score], marks: Marks) -> list[Printed]:
    """Return the table of models, and the table of classes if there is a bias for single classes.

    Args:
        scores: Scores of the section `cue conflict`.
        marks: The marks of protocols.
    """
    subjects: dict[str, dict[str, Score]] = {}
    for score in scores:
        subjects.setdefault(score.cell or f"{score.model} {score.protocol}", {})[score.metric] = score
    decided = {key: by_metric for key, by_metric in subjects.items() if "shape_bias" in by_metric}
    by_class = [by_metric for by_metric in decided.values() if any(name.startswith(OF_CLASS) for name in by_metric)]
    return [Printed(_overall(decided, marks)), *([Printed(_by_class(by_class))] if by_class else [])]


def _overall(subjects: Mapping[str, Mapping[str, Score]], marks: Marks) -> Table:
    scores = [score for by_metric in subjects.values() for score in by_metric.values()]
    table = Table(title="Shape against texture, in % with 95 % intervals", title_justify="left")
    for name in ("model", "benchmark"):
        table.add_column(name, overflow="fold")
    people = ["κ with people"] if any(score.metric == WITH_PEOPLE for score in scores) else []
    flags = ["flags"] if any(score.flags for score in scores) else []
    for name in (*OVERALL.values(), "decided", "of", *people, "protocol", *flags):
        table.add_column(name, justify="right")
    for by_metric in subjects.values():
        bias, decisions = by_metric["shape_bias"], by_metric["shape_decisions"]
        cells = [with_interval(by_metric[metric]) for metric in OVERALL]
        cells += [str(bias.n), str(decisions.n), *([with_interval(by_metric.get(WITH_PEOPLE))] if people else [])]
        cells += [marks[bias.protocol], *([", ".join(bias.flags)] if flags else [])]
        table.add_row(*map(Text, (bias.model, bias.benchmark, *cells)))
    return table


def _by_class(subjects: Sequence[Mapping[str, Score]]) -> Table:
    table = Table(title="Shape bias by the class of the shape, in %", title_justify="left")
    table.add_column("shape", overflow="fold")
    for by_metric in subjects:
        bias = by_metric["shape_bias"]
        table.add_column(Text(f"{bias.model} · {bias.benchmark}"), justify="right", overflow="fold")
    metrics = [metric for by_metric in subjects for metric in by_metric if metric.startswith(OF_CLASS)]
    for metric in dict.fromkeys(metrics):
        table.add_row(metric.removeprefix(OF_CLASS), *(_counted(by_metric.get(metric)) for by_metric in subjects))
    return table


def _counted(score: Score | None) -> str:
    return "-" if score is None or score.value is None else f"{with_interval(score)} of {score.n}"
