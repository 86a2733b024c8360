"""The page of a choice of samples."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from markupsafe import Markup

from robustbench_eff.leaderboards.render import page as rendered
from robustbench_eff.storage.manifest import STARTED
from robustbench_eff.storage.store import Store

from ..report.content import named_cells
from ..report.page import TEMPLATES as OF_REPORT
from ..report.wording import count_of
from .choice import Choice, Option, options, read_choice
from .clean_images import DataSets
from .rows import PER_PAGE, Found, find_samples

TEMPLATES = Path(__file__).parent / "templates"
SECONDS = 10
"""Time after which the page of a store that a run is writing is loaded again."""


def samples_page(store: Store, given: Mapping[str, str], data_sets: DataSets) -> str:
    """Return the page of the samples that a request asks for.

    Args:
        store: The store, opened for this request, so that the page has what a run has stored by now.
        given: Fields of the request's query, by their names.
        data_sets: Clean images.

    Raises:
        UsageError: A field names something that is not there.
        StoreError: The store is damaged.
    """
    cells = named_cells(store)
    is_running = _is_running(store)
    common = {"title": f"Samples: {store.name}", "style": _style(), "is_running": is_running, "seconds": SECONDS}
    if not cells:
        return rendered(TEMPLATES / "samples.html.j2", **common, choice=None)
    choice = read_choice(given, cells)
    found = find_samples(store, cells, choice)
    benchmark = choice.images.partition(" · ")[0]
    return rendered(
        TEMPLATES / "samples.html.j2",
        **common,
        choice=choice,
        found=found,
        fields=options(choice, cells),
        classes=_classes(choice, found),
        models=[model for model in (choice.model, choice.other) if model],
        clean=[data_sets.image(benchmark, row.sample_id) for row in found.rows],
        why_no_clean=data_sets.why_not(benchmark),
        pages=-(-found.number // PER_PAGE),
        count_of=count_of,
    )


def error_page(message: str) -> str:
    """Return a page that says what is wrong.

    Args:
        message: The sentence.
    """
    return rendered(TEMPLATES / "error.html.j2", message=message, style=_style())


def _classes(choice: Choice, found: Found) -> list[Option]:
    offered = [Option(str(label), name, label == choice.label) for label, name in found.labels.items()]
    return [Option("", "all", choice.label is None), *offered]


def _is_running(store: Store) -> bool:
    """Whether the last run has not ended: it is going on, or was killed."""
    runs = store.runs()
    return bool(runs) and runs[-1].get("status") == STARTED


def _style() -> Markup:
    return Markup((OF_REPORT / "report.css").read_text() + (TEMPLATES / "samples.css").read_text())
