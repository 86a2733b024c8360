"""A first look at a model as lines on the terminal: how it is set up, and its accuracies on a few images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table

from robustbench_eff.core.flags import FAILED
from robustbench_eff.diagnostics.other_setups import SetupReport
from robustbench_eff.scores.number_text import percent, with_interval
from robustbench_eff.scores.score import Score

from .prose import print_prose

_SHOWN = 3
"""Number of other set-ups that are listed."""
_ACCURACIES = ("accuracy", "robust_accuracy")


def setup_lines(report: SetupReport) -> Iterator[str]:
    """Yield what the model gets right on clean images, and one warning per set-up in which it would get more right.

    Args:
        report: What was tried.
    """
    yield from report.assumed if report.better or report.order else ()
    yield f"Set-up: {percent(report.right / report.count, 1)} % of {report.count} clean images are classified right."
    for setup in report.better[:_SHOWN]:
        share = percent(float(setup.right.mean()), 1)
        yield f"warning: it would be {share} % with {setup.words}"
    if report.better:
        yield "Nothing was changed: say how the network was trained."
    if report.order:
        yield (
            "warning: the outputs seem to stand for the classes in another order. One that fits, for a file of "
            f"--class-order with one name per line: {', '.join(report.order)}"
        )


def accuracy_table(scores: Sequence[Score], console: Console) -> None:
    """Print one row per perturbation, and what a reader must know of it.

    Args:
        scores: The scores of a run.
        console: Where to print.
    """
    rows = [score for score in scores if score.metric in _ACCURACIES and score.kind != "several"]
    table = Table("", "accuracy in %", "images", box=None)
    for score in rows:
        table.add_row(score.perturbation, with_interval(score, 1), str(score.n))
    console.print(table)
    flags = (flag for score in rows for flag in score.flags if score.n or flag.startswith(FAILED))
    for flag in dict.fromkeys(flags):
        print_prose(f"warning: {flag}", console)
