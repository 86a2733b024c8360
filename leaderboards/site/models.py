"""How the site shows a model wherever it is named: its name, its page, and what its authors say."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from ..entry import Entry
from ..file_names import file_names
from .data import Piece, piece

_THREAT_MODEL = re.compile(r" \(\w+, (Linf|L2|corruptions)\)$")
"""End of a name that RobustBench gives to models of several threat models; in the table of one it says nothing."""


class ShownModel(NamedTuple):
    """A model as tables, plots and the search show it."""

    name: str
    """As its authors write it; followed by the name in entries where several models share it."""
    page: str
    """Name of its page, without the folder and `.html`."""
    is_own: bool
    """Whether its numbers are from the sources of the site, not from those that come with the package."""
    entry: Entry

    @property
    def short(self) -> str:
        """The name without the threat model at its end."""
        return _THREAT_MODEL.sub("", self.name)

    @property
    def architecture(self) -> str:
        """The architecture as its authors write it, else the family."""
        return self.entry.about.architecture or self.entry.family

    @property
    def facts(self) -> list[Any]:
        """What a table shows beside the numbers, in the order of `FACTS` in static/board.js."""
        about = self.entry.about
        extra = {True: "yes", False: "no", None: ""}[about.extra_data]
        link = [about.link, short_link(about.link)] if about.link else ""
        return [self.entry.defense, self.architecture, extra, about.authors, about.venue, link, about.licence]


def shown_models(entries: Sequence[Entry], own: Collection[str]) -> dict[str, ShownModel]:
    """Return how each model is shown, by its name in the entries; own models first.

    Args:
        entries: One entry per model.
        own: Names of the models whose numbers are from the sources of the site.
    """
    pages = file_names([entry.model for entry in entries])
    names = {entry.model: entry.about.name or entry.model for entry in entries}
    counts = Counter(names.values())
    shown = [
        ShownModel(
            name=name if counts[name := names[entry.model]] == 1 else f"{name} ({entry.model})",
            page=pages[entry.model],
            is_own=entry.model in own,
            entry=entry,
        )
        for entry in entries
    ]
    return {model.entry.model: model for model in sorted(shown, key=lambda model: not model.is_own)}


def short_names(models: Iterable[ShownModel]) -> dict[str, str]:
    """Return the short names of models, whole names where the short ones are the same, by their names in entries.

    Args:
        models: The models of one table.
    """
    shown = list(models)
    counts = Counter(model.short for model in shown)
    return {model.entry.model: model.short if counts[model.short] == 1 else model.name for model in shown}


def names_of(models: Sequence[ShownModel]) -> Piece:
    """Return the names of all models for the search, own models first.

    Args:
        models: The models.
    """
    return piece(
        "models",
        [
            [
                *(model.name, model.entry.model, model.page, int(model.is_own)),
                *(model.entry.family, model.entry.defense, model.architecture, model.entry.about.authors),
            ]
            for model in models
        ],
    )


def short_link(link: str) -> str:
    """Return an address as a table shows it: `arXiv:2406.05927`, or the name of the host.

    Args:
        link: Address of a paper.
    """
    _, arxiv, number = link.partition("arxiv.org/abs/")
    if arxiv:
        return f"arXiv:{number}"
    return link.partition("://")[2].removeprefix("www.").partition("/")[0]
