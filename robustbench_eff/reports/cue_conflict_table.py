"""Shape against texture as tables: one row per model, and one row per class of the shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from rich.table import Table
from rich.text import Text

from robustbench_eff.scores.number_text import with_interval
from robustbench_eff.scores.score import Score

from .score_rows import Marks, Printed, Row, flags_below, marked, table_of_rows

OF_CLASS = "shape_bias of "
HEADINGS = {
    "shape_bias": "shape bias",
    "shape_decisions": "shape named",
    "texture_decisions": "texture named",
    "error_consistency": "κ with people",
}
"""Headings by metric."""
MODELS_BESIDE = 3
"""Models that stand beside each other in a table of classes."""
BELOW = "Shape bias is of the decisions for either cue, as many as stand behind it; n counts all conflicting images."
CEILING = "κ of humans is between people: what a model that errs as another person does would reach with them."


def cue_conflict_tables(scores: Sequence[Score], marks: Marks) -> list[Printed]:
    """Return the table of models, and tables of classes if there is a bias for single classes.

    Args:
        scores: Scores of the section `cue conflict`.
        marks: The marks of protocols.
    """
    subjects: dict[str, dict[str, Score]] = {}
    for score in scores:
        key = score.cell or f"{score.model} {replace(score.protocol, observers='')}"
        subjects.setdefault(key, {})[score.metric] = score
    decided = [by_metric for by_metric in subjects.values() if "shape_bias" in by_metric]
    by_class = [by_metric for by_metric in decided if any(name.startswith(OF_CLASS) for name in by_metric)]
    starts = range(0, len(by_class), MODELS_BESIDE)
    return [_overall(decided, marks), *(_by_class(by_class[start : start + MODELS_BESIDE]) for start in starts)]


def _overall(subjects: Sequence[Mapping[str, Score]], marks: Marks) -> Printed:
    rows = [
        Row(
            by_metric["shape_decisions"],
            {heading: by_metric[metric] for metric, heading in HEADINGS.items() if metric in by_metric},
        )
        for by_metric in subjects
    ]
    columns: dict[str, Callable[[Score], str]] = {
        heading: WRITTEN.get(metric, with_interval)
        for metric, heading in HEADINGS.items()
        if any(metric in by_metric for by_metric in subjects)
    }
    title = "Shape against texture, in % with 95 % intervals"
    printed = table_of_rows(title, columns, rows, marks, ("model", "benchmark"))
    between = any("error_consistency" in by_metric and not by_metric["shape_bias"].cell for by_metric in subjects)
    lines = [BELOW, *([CEILING] if between else []), printed.below]
    return Printed(printed.table, "\n".join(filter(None, lines)))


def _by_class(subjects: Sequence[Mapping[str, Score]]) -> Printed:
    table = Table(title="Shape bias by the class of the shape, in %", title_justify="left")
    table.add_column("shape", overflow="fold")
    headings = [f"{of['shape_bias'].model} · {of['shape_bias'].benchmark}" for of in subjects]
    for heading in headings:
        table.add_column(Text(heading), justify="right", no_wrap=True)
    metrics = dict.fromkeys(metric for of in subjects for metric in of if metric.startswith(OF_CLASS))
    for metric in metrics:
        found = [of.get(metric) for of in subjects]
        cells = ["" if score is None else marked(_counted(score), score) for score in found]
        table.add_row(*map(Text, (metric.removeprefix(OF_CLASS), *cells)))
    bearers = {
        (metric.removeprefix(OF_CLASS), heading): of[metric]
        for metric in metrics
        for heading, of in zip(headings, subjects, strict=True)
        if metric in of
    }
    return Printed(table, flags_below(bearers))


def _counted(score: Score) -> str:
    """The value with its interval and the number of decisions behind it."""
    return "-" if score.value is None else f"{with_interval(score)} of {score.n}"


def _kappa(score: Score) -> str:
    """Kappa with three digits, as papers give it."""
    if score.value is None or score.low is None or score.high is None:
        return "-" if score.value is None else f"{score.value:.3f}"
    return f"{score.value:.3f} [{score.low:.3f}, {score.high:.3f}]"


WRITTEN: Mapping[str, Callable[[Score], str]] = {"shape_bias": _counted, "error_consistency": _kappa}
"""How the numbers of a metric are written, where not as others."""
