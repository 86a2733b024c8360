"""Scores under corruption as a table: one row per corruption, one column per severity."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from rich.table import Table

from robustbench_eff.core.protocol import Protocol
from robustbench_eff.registry.perturbation_sets import CORRUPTION_SETS
from robustbench_eff.scores.number_text import with_interval
from robustbench_eff.scores.score import Score

from .score_rows import Marks, Printed, flags_below, marked

SEVERITIES = range(1, 6)
OVERALL = {"mean_accuracy": "mean accuracy", "mCE": "mCE", "relative_mCE": "relative mCE"}
"""Headings of the scores over all corruptions of a set."""
OF_ALEXNET = "% of AlexNet's"
UNITS = {"mean_accuracy": "%", "mCE": OF_ALEXNET, "relative_mCE": OF_ALEXNET}
"""Their units."""


def severity_tables(scores: Sequence[Score], marks: Marks) -> list[Printed]:
    """Return a table for each model, benchmark, protocol and seed, each with a line of scores over all corruptions.

    Args:
        scores: Scores of the section `corruption`.
        marks: Not used: a table of its own stands for each protocol.
    """
    del marks
    return [_table(title, group) for title, group in by_subject(scores).items()]


def by_subject(scores: Sequence[Score]) -> dict[str, list[Score]]:
    """Return the scores that one table may hold, by its title: of one model, on the same images, with the same seed.

    Scores without random draws are in the tables of every seed.

    Args:
        scores: Scores under corruptions or sequences.
    """
    groups: dict[tuple[str, str, int], dict[Protocol, list[Score]]] = defaultdict(lambda: defaultdict(list))
    for score in scores:
        groups[score.model, score.benchmark, score.n][score.protocol.unseeded()].append(score)
    tables = {}
    for (model, benchmark, n), protocols in groups.items():
        for protocol, group in protocols.items():
            parts = [model, benchmark, f"n = {n}", *([str(protocol)] if len(protocols) > 1 else [])]
            every_seed = sorted({score.protocol.seeds for score in group} - {()}) or [()]
            for seeds in every_seed:
                seeded = [f"seed {', '.join(map(str, seeds))}"] if len(every_seed) > 1 else []
                tables[" · ".join([*parts, *seeded])] = [
                    score for score in group if score.protocol.seeds in ((), seeds)
                ]
    return tables


def row_name(score: Score, scores: Sequence[Score]) -> str:
    """Return the name of a row: the corruption or sequence, with its constants where those of the table differ.

    Args:
        score: A score of one cell.
        scores: All scores of the table that are of one cell.
    """
    name = str(score.configuration.get("corruption") or score.configuration["sequence"])
    several = len({other.configuration["constants"] for other in scores}) > 1
    return f"{name}, {score.configuration['constants']}" if several else name


def constants_of(scores: Sequence[Score]) -> str:
    """Return the severity constants of corruptions as a part of a title, with a comma before; empty without any.

    Args:
        scores: Scores of one cell each.
    """
    names = sorted({str(score.configuration["constants"]) for score in scores if "constants" in score.configuration})
    return f", constants of {' and '.join(names)}" if names else ""


def _table(title: str, scores: Sequence[Score]) -> Printed:
    accuracies = [score for score in scores if score.metric == "accuracy"]
    errors = {score.perturbation: score for score in scores if score.metric == "CE"}
    cells: dict[tuple[str, str], Score] = {}
    for score in accuracies:
        cells[row_name(score, accuracies), str(score.configuration["severity"])] = score
    rows = list(dict.fromkeys(row for row, _ in cells))
    cells |= {(row, "CE"): errors[name] for row in rows if (name := row.removesuffix(", imagenet")) in errors}
    heading = f"accuracy in % by severity{constants_of(accuracies)}, with 95 % intervals"
    table = Table(title=f"{title}: {heading}", title_justify="left")
    table.add_column("corruption", overflow="fold")
    columns = [*map(str, SEVERITIES), *(["CE"] if errors else [])]
    for name in columns:
        heading = f"CE, {OF_ALEXNET}" if name == "CE" else name
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        found = [cells.get((row, column)) for column in columns]
        table.add_row(row, *(marked(with_interval(score, ends=0), score) for score in found))
    overall = {(OVERALL[score.metric], of_set(score, scores)): score for score in scores if score.metric in OVERALL}
    return Printed(table, "\n".join(filter(None, (_overall(scores), flags_below(cells | overall)))))


def of_set(score: Score, scores: Sequence[Score]) -> str:
    """Return what follows the name of a mean where a table has it over several sets: the name of the set.

    Args:
        score: A score over a set.
        scores: All scores of the table.
    """
    several = len({other.perturbation for other in scores if other.metric == score.metric}) > 1
    return f"over {score.perturbation}" if several else ""


def _overall(scores: Sequence[Score]) -> str:
    """One sentence for each set of corruptions, which states their constants."""
    found: dict[str, list[str]] = {}
    for score in scores:
        if score.metric in OVERALL:
            sentence = f"{OVERALL[score.metric]} {marked(with_interval(score, 2), score)} {UNITS[score.metric]}"
            found.setdefault(score.perturbation, []).append(sentence)
    return "\n".join(f"{CORRUPTION_SETS[name].title}: {', '.join(overall)}." for name, overall in found.items())
