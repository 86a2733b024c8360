"""Shape against texture as tables: a row a model, and a row a class of shapes."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from robustbench_eff.scores.score import Score

from .formatting import with_interval

OF_CLASS = "shape_bias of "
OVERALL = {"shape_bias": "shape bias", "shape_decisions": "shape named", "texture_decisions": "texture named"}
WITH_PEOPLE = "error_consistency"


def belongs(score: Score) -> bool:
    """Whether the score is of cue-conflict images."""
    return score.metric in (*OVERALL, WITH_PEOPLE) or score.metric.startswith(OF_CLASS)


def cue_conflict_tables(scores: Sequence[Score], number: dict[str, str]) -> list[Table]:
    """Both tables; `scores` are those that belong here, `number` the marks of protocols."""
    subjects: dict[str, list[Score]] = {}
    kappas = {score.cell: score for score in scores if score.metric == WITH_PEOPLE}
    for score in scores:
        if score.metric != WITH_PEOPLE:
            subjects.setdefault(score.cell or f"{score.model} {score.protocol}", []).append(score)
    flagged = any(score.flags for score in scores)
    table = Table(title="Shape against texture, in % with 95 % intervals", title_justify="left")
    for name in ("model", "benchmark"):
        table.add_column(name, overflow="fold")
    people, flags = ["κ with people"] if kappas else [], ["flags"] if flagged else []
    for name in (*OVERALL.values(), "decided", "of", *people, "protocol", *flags):
        table.add_column(name, justify="right")
    for key, of in subjects.items():
        found = {score.metric: score for score in of}
        bias, named = found["shape_bias"], found["shape_decisions"]
        cells = [with_interval(found[metric]) for metric in OVERALL]
        cells += [str(bias.n), str(named.n), *([with_interval(kappas.get(key))] if kappas else [])]
        cells += [number[bias.protocol], *([", ".join(bias.flags)] if flagged else [])]
        table.add_row(*(Text(text) for text in (bias.model, bias.benchmark, *cells)))
    of_classes = {key: of for key, of in subjects.items() if any(score.metric.startswith(OF_CLASS) for score in of)}
    return [table, *([_by_class(of_classes)] if of_classes else [])]


def _by_class(subjects: dict[str, list[Score]]) -> Table:
    table = Table(title="Shape bias by the class of the shape, in %", title_justify="left")
    table.add_column("shape", overflow="fold")
    for of in subjects.values():
        table.add_column(Text(f"{of[0].model} · {of[0].benchmark}"), justify="right", overflow="fold")
    columns = [{score.metric: score for score in of} for of in subjects.values()]
    for metric in dict.fromkeys(metric for column in columns for metric in column if metric.startswith(OF_CLASS)):
        cells = [_counted(column.get(metric)) for column in columns]
        table.add_row(metric.removeprefix(OF_CLASS), *cells)
    return table


def _counted(score: Score | None) -> str:
    return "-" if score is None or score.value is None else f"{with_interval(score)} of {score.n}"
