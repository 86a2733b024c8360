"""The page of a report: its parts, within the limits of a short page or without any."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup

from robustbench_eff.leaderboards.render import page as rendered
from robustbench_eff.storage.store import Store

from .checks import checked
from .class_accuracy import ClassTable, class_accuracy
from .content import FEW, Content, read_content
from .heat import heat_maps
from .numbers import every_number, main_tables, protocol_line
from .pictures import Gallery, galleries
from .plots import Plot, other_plots, strongest_plots
from .runs import models, run_lines
from .sentences import sentences
from .wording import count_of

TEMPLATES = Path(__file__).parent / "templates"


class Limits(NamedTuple):
    """How much of a store its page shows."""

    classes: int
    """Classes of a table that stand open; more are folded."""
    folded_classes: int
    """Classes of a table altogether."""
    plots: int
    """Plots of single attacks and certificates."""
    galleries: int
    """Pictures that stand open."""
    folded_galleries: int
    """Pictures altogether."""
    numbers: int
    """Rows of the table of every number."""
    is_open: bool
    """Whether nothing is folded."""


SHORT = Limits(10, 100, 6, 3, 12, 300, is_open=False)
_ALL = 10**9
FULL = Limits(_ALL, _ALL, _ALL, _ALL, _ALL, _ALL, is_open=True)


class Parts(NamedTuple):
    """Parts of a page that need the store, besides its content."""

    classes: Sequence[ClassTable] = ()
    galleries: Sequence[Gallery] = ()
    galleries_left: int = 0


def report_page(store: Store, title: str | None = None, *, full: bool = False) -> str:
    """Return the report of a store as one self-contained HTML page.

    Args:
        store: The store.
        title: Title of the page; None names the store.
        full: Whether nothing is left out or folded.

    Raises:
        StoreError: A record of the store is damaged.
        EvaluationError: An attack on a smoothed classifier contradicts its certificates.
    """
    limits = FULL if full else SHORT
    content = read_content(store, title)
    found, left = galleries(store, content, limits.folded_galleries, everything=full)
    return page_of(content, Parts(class_accuracy(store, content), found, left), limits)


def page_of(content: Content, parts: Parts, limits: Limits = SHORT) -> str:
    """Return the page of a store's content.

    Args:
        content: What the store holds.
        parts: Parts that were read from the store.
        limits: How much the page shows.
    """
    style = Markup((TEMPLATES / "report.css").read_text())
    numbers = every_number(content.scores)
    rows = sum(len(table.rows) for table in numbers)
    return rendered(
        TEMPLATES / "report.html.j2",
        title=content.title,
        place=content.place,
        style=style,
        policy="default-src 'none'; img-src data:; style-src 'unsafe-inline'",
        models=content.models,
        sentences=sentences(content.scores),
        tables=main_tables(content.scores),
        unfinished=content.unfinished,
        classes=parts.classes,
        heat_maps=heat_maps(content.scores),
        strongest=strongest_plots(content.scores),
        plots=_some_plots(content, limits.plots),
        galleries=parts.galleries,
        galleries_left=parts.galleries_left,
        checked=checked(content.verdicts, content.scores),
        is_attacked=any(score.kind == "attack" for score in content.scores),
        numbers=numbers if rows <= limits.numbers else [],
        number_rows=rows,
        runs=run_lines(content.runs),
        sources=models(content.cells),
        limits=limits,
        few=FEW,
        line=protocol_line,
        count_of=count_of,
    )


def _some_plots(content: Content, most: int) -> tuple[list[Plot], bool]:
    """The first plots, and whether there are more."""
    found = list(islice(other_plots(content.scores), min(most + 1, 10**6)))
    return found[:most], len(found) > most
